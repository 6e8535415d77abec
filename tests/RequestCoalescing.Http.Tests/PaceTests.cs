namespace RequestCoalescing.Http.Tests;

/// <summary>Each reader has its own pace, and the memory is bounded.</summary>
public sealed class PaceTests() : HandlerFixture
{
    private const int Buffer = 256 * 1024;
    private const int Size = 8 * 1024 * 1024;

    [Fact]
    public async Task A_reader_that_lags_is_cut_off_and_slows_nobody()
    {
        Use(static options => options.MaxBufferedBytes = Buffer);
        Origin.Answer = static async context =>
        {
            await context.Response.Body.FlushAsync();
            var block = new byte[64 * 1024];
            for (var sent = 0; sent < Size; sent += block.Length) await context.Response.Body.WriteAsync(block);
        };
        using var slow = await GetAsync().SoonAsync();
        using var fast = await GetAsync().SoonAsync();
        var slowBody = await slow.Content.ReadAsStreamAsync();
        var fastBody = await fast.Content.ReadAsStreamAsync();
        await slowBody.ReadExactlyAsync(new byte[10]).AsTask().SoonAsync();

        var (read, most) = (0L, 0L);
        var buffer = new byte[16 * 1024];
        for (int count; (count = await fastBody.ReadAsync(buffer).AsTask().SoonAsync()) > 0;)
        {
            read += count;
            most = Math.Max(most, Coalescer.BufferedBytes);
        }

        Assert.Equal(Size, read);
        Assert.InRange(most, 1, Buffer + (64 * 1024));
        var error = await Assert.ThrowsAsync<SharedBodyLagException>(() => slowBody.ReadAsync(buffer).AsTask());
        Assert.Equal(Buffer, error.MaxBufferedBytes);
        Assert.Equal(1, Origin.Requests);
        fast.Dispose();
        slow.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task If_no_reader_reads_the_origin_waits()
    {
        Use(static options => options.MaxBufferedBytes = Buffer);
        Origin.Answer = static async context =>
        {
            await context.Response.Body.FlushAsync();
            var block = new byte[64 * 1024];
            for (var sent = 0; sent < Size; sent += block.Length) await context.Response.Body.WriteAsync(block);
        };
        using var response = await GetAsync().SoonAsync();
        var body = await response.Content.ReadAsStreamAsync();
        var (read, most) = (0L, 0L);
        var buffer = new byte[1_000];
        for (int count; (count = await body.ReadAsync(buffer).AsTask().SoonAsync()) > 0;)
        {
            read += count;
            most = Math.Max(most, Coalescer.BufferedBytes);
        }

        Assert.Equal(Size, read);
        Assert.InRange(most, 1, (Buffer / 4) + (96 * 1024)); // the read-ahead, and the parts at its ends
        response.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_body_that_finds_no_room_fails_after_a_while_and_the_others_go_on()
    {
        Use(static options => (options.MaxBufferedBytes, options.MaxTotalBufferedBytes) = (Buffer, Buffer));
        Origin.Answer = static async context =>
        {
            await context.Response.Body.FlushAsync();
            var block = new byte[64 * 1024];
            for (var sent = 0; sent < Size; sent += block.Length) await context.Response.Body.WriteAsync(block);
        };
        var stalled = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => GetAsync($"/{i}"))).SoonAsync();
        await Patience.UntilAsync(() => Coalescer.BufferedBytes > Buffer - (64 * 1024), "the buffer is full");
        using var late = await GetAsync("/late").SoonAsync();
        var body = await late.Content.ReadAsStreamAsync();
        var failing = Record.ExceptionAsync(async () =>
        {
            while (await body.ReadAsync(new byte[16 * 1024]) > 0)
            {
            }
        });
        while (!failing.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromSeconds(30)); // as soon as the body waits
            await Task.Yield();
        }

        Assert.IsType<HttpIOException>(await failing);
        foreach (var response in stalled) response.Dispose();
        late.Dispose();
        await AllIsFreeAsync();
        Origin.Answer = static context => context.Response.Body.WriteAsync("post"u8.ToArray()).AsTask();
        Assert.Equal("post", await TextOf(GetAsync("/next")));
    }

    [Fact]
    public async Task Random_readers_that_come_stall_and_leave_get_the_right_bytes_and_leave_nothing_behind()
    {
        Use(static options => options.MaxBufferedBytes = Buffer);
        var body = new byte[1_500_000];
        new Random(3).NextBytes(body);
        var random = new Random(4);
        Origin.Answer = async context =>
        {
            int cut, step;
            lock (random) (cut, step) = (random.Next(4) == 0 ? random.Next(body.Length) : body.Length, 1 + random.Next(100_000));
            if (context.Request.Path == "/refuse")
            {
                context.Abort();
                return;
            }

            context.Response.ContentLength = body.Length;
            try
            {
                for (var sent = 0; sent < cut; sent += step) await context.Response.Body.WriteAsync(body.AsMemory(sent, Math.Min(step, cut - sent)), context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                return; // all readers have left
            }

            if (cut < body.Length) context.Abort();
        };
        var (whole, broken) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(seed => Task.Run(async () =>
        {
            var own = new Random(seed);
            for (var round = 0; round < 60; round++)
            {
                using var leaving = new CancellationTokenSource();
                try
                {
                    using var response = await SendAsync(HttpMethod.Get, own.Next(20) == 0 ? "/refuse" : $"/{round / 4}", leaving.Token);
                    await using var stream = await response.Content.ReadAsStreamAsync(leaving.Token);
                    var (read, buffer) = (0, new byte[1 + own.Next(50_000)]);
                    var leaves = own.Next(4) == 0 ? own.Next(body.Length) : int.MaxValue;
                    while (read < leaves)
                    {
                        if (own.Next(30) == 0) await Task.Yield();
                        var count = await stream.ReadAsync(buffer, leaving.Token);
                        if (count == 0) break;
                        Assert.True(body.AsSpan(read, count).SequenceEqual(buffer.AsSpan(0, count)));
                        read += count;
                    }

                    if (read < leaves)
                    {
                        Assert.Equal(body.Length, read); // a body never looks whole if it is not
                        Interlocked.Increment(ref whole);
                    }
                }
                catch (Exception error) when (error is HttpRequestException or IOException)
                {
                    Interlocked.Increment(ref broken);
                }
            }
        }))).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.True(whole > 0 && broken > 0, $"{whole} whole, {broken} broken");
        await AllIsFreeAsync();
    }
}
