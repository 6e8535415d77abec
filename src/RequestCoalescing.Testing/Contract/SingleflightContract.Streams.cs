using System.Runtime.CompilerServices;

namespace RequestCoalescing.Testing;

// The laws for flights that stream: one run of the source, and all callers get its items.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Stream_All_callers_read_one_run_from_its_first_item_each_at_its_own_pace()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        await using var early = Read(singleflight, backend.Run);
        var first = early.NextAsync();
        var run = await backend.NextRunAsync();
        run.Yield(1, 2);
        Assert.Equal(1, await first);

        await using var late = Read(singleflight, backend.Run);
        Assert.Equal(1, await late.NextAsync());
        Assert.Equal(2, await late.NextAsync());
        var third = late.NextAsync();
        run.Yield(3);
        run.End();

        Assert.Equal(3, await third);
        Assert.Equal([2, 3], await early.RestAsync());
        Assert.Empty(await late.RestAsync());
        Assert.Equal(1, backend.Runs);
        Assert.Equal((0, 0), (singleflight.GetStats().InFlightCount, singleflight.GetStats().TotalSubscribers));
    }

    [Fact]
    public async Task Stream_A_thousand_callers_ask_the_source_once()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        var readers = Enumerable.Range(0, 1000).Select(_ => Read(singleflight, backend.Run).RestAsync()).ToList();
        await singleflight.UntilSubscribersAsync(1000);
        var run = await backend.NextRunAsync();
        for (var item = 0; item < 100; item++) run.Yield(item);
        run.End();

        Assert.All(await Task.WhenAll(readers).SoonAsync(), items => Assert.Equal(Enumerable.Range(0, 100), items));
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Stream_A_source_that_completes_at_once_gives_all_its_items()
    {
        var singleflight = Create();

        var items = await singleflight.ExecuteStreamAsync(Key, static _ => Enumerable.Range(0, 5000).ToAsyncEnumerable()).ToListAsync();

        Assert.Equal(Enumerable.Range(0, 5000), items);
    }

    [Fact]
    public async Task Stream_A_caller_leaves_and_the_others_go_on()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        using var leaving = new CancellationTokenSource();
        await using var leader = Read(singleflight, backend.Run, leaving.Token);
        var led = leader.NextAsync();
        var run = await backend.NextRunAsync();
        await using var follower = Read(singleflight, backend.Run);
        var followed = follower.NextAsync();
        await singleflight.UntilSubscribersAsync(2);

        await leaving.CancelAsync();

        await led.LeavesWithAsync(leaving.Token);
        run.Yield(1);
        run.End();
        Assert.Equal(1, await followed);
        Assert.Empty(await follower.RestAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Stream_The_last_caller_leaves_and_the_source_is_cancelled_and_disposed_of()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        var (readers, items, run) = await ReadTwiceAsync(singleflight, backend);
        run.Yield(1);
        await Task.WhenAll(items).SoonAsync();

        await readers[0].DisposeAsync();
        Assert.False(run.Token.IsCancellationRequested);
        await readers[1].DisposeAsync();

        await run.DisposedAsync();
        Assert.True(run.Token.IsCancellationRequested);
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 0, "the flight is over");
    }

    [Fact]
    public async Task Stream_An_error_reaches_each_caller_after_the_items_before_it_and_the_next_call_starts_anew()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        var (readers, items, run) = await ReadTwiceAsync(singleflight, backend);
        var error = new IOException("The line is dead.");
        run.Yield(1, 2);
        run.Fail(error);

        foreach (var reader in readers)
        {
            Assert.Equal(1, await items[reader == readers[0] ? 0 : 1]);
            Assert.Equal(2, await reader.NextAsync());
            Assert.Same(error, await reader.NextAsync().ThrowsAsync<IOException>());
        }

        var next = Read(singleflight, backend.Run).RestAsync();
        (await backend.NextRunAsync()).End();
        Assert.Empty(await next);
    }

    [Fact]
    public async Task Stream_A_source_that_throws_at_once_fails_each_caller_once()
    {
        var singleflight = Create();
        var error = new InvalidDataException("No such table.");

        var thrown = await Read(singleflight, IAsyncEnumerable<int> (_) => throw error).NextAsync().ThrowsAsync<InvalidDataException>();

        Assert.Same(error, thrown);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Stream_Callers_after_a_forget_start_anew_and_those_before_it_read_on()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        await using var before = Read(singleflight, backend.Run);
        var first = before.NextAsync();
        var old = await backend.NextRunAsync();
        old.Yield(1);
        Assert.Equal(1, await first);

        Assert.True(singleflight.Forget(Key));
        await using var after = Read(singleflight, backend.Run);
        var anew = after.NextAsync();
        var run = await backend.NextRunAsync();
        run.Yield(10);
        run.End();
        old.Yield(2);
        old.End();

        Assert.Equal(10, await anew);
        Assert.Equal([2], await before.RestAsync());
        Assert.Equal(2, backend.Runs);
    }

    [Fact]
    public async Task Stream_The_leaders_token_in_the_source_lets_the_others_elect_a_leader()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        using var aborted = new CancellationTokenSource();
        await using var leader = Read(singleflight, _ => backend.Run(aborted.Token), aborted.Token); // the usual mistake
        var led = leader.NextAsync();
        await backend.NextRunAsync();
        var followers = Enumerable.Range(0, 5).Select(_ => Read(singleflight, backend.Run)).ToArray();
        var items = followers.Select(follower => follower.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(6);

        await aborted.CancelAsync();

        await led.LeavesWithAsync(aborted.Token);
        (await backend.NextRunAsync()).Yield(7);
        Assert.All(await Task.WhenAll(items).SoonAsync(), item => Assert.Equal(7, item));
        Assert.Equal(2, backend.Runs);
    }

    [Fact]
    public async Task Stream_After_its_first_item_a_cancelled_source_is_not_run_again()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        using var aborted = new CancellationTokenSource();
        await using var leader = Read(singleflight, _ => backend.Run(aborted.Token), aborted.Token);
        var led = leader.NextAsync();
        var run = await backend.NextRunAsync();
        await using var follower = Read(singleflight, backend.Run);
        var item = follower.NextAsync();
        await singleflight.UntilSubscribersAsync(2);
        run.Yield(1);
        Assert.Equal((1, 1), (await led, await item));
        var next = follower.NextAsync();

        await aborted.CancelAsync();

        await next.ThrowsAsync<OperationCanceledException>();
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Stream_Work_that_reads_a_stream_that_waits_for_the_work_gets_a_deadlock_error()
    {
        var singleflight = Create();

        var call = singleflight.ExecuteAsync("sum", async _ => await Read(singleflight, Source).RestAsync()).AsTask();

        await call.ThrowsAsync<FlightDeadlockException>();

        async IAsyncEnumerable<int> Source([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            yield return (await singleflight.ExecuteAsync("sum", static _ => new ValueTask<List<int>>([]))).Count;
        }
    }

    [Fact]
    public async Task Stream_A_stream_and_a_result_cannot_have_one_key_at_one_time()
    {
        var singleflight = Create();
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        var item = reader.NextAsync();
        var run = await backend.NextRunAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await singleflight.ExecuteAsync(Key, static _ => new ValueTask<int>(1)));
        await new StreamCaller<string>(singleflight.ExecuteStreamAsync(Key, new StreamBackend<string>().Run)).NextAsync().ThrowsAsync<InvalidOperationException>();

        run.Yield(1);
        Assert.Equal(1, await item);
    }

    [Fact]
    public async Task Stream_Disposal_ends_a_stream()
    {
        var singleflight = Create();
        if (singleflight is not IAsyncDisposable disposable) return;
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        var first = reader.NextAsync();
        var run = await backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await first);
        var next = reader.NextAsync();

        await disposable.DisposeAsync().AsTask().SoonAsync();

        await next.ThrowsAsync<OperationCanceledException>();
        await run.DisposedAsync();
    }

    private static async Task<(StreamCaller<int>[] Readers, Task<int>[] Items, StreamRun<int> Run)> ReadTwiceAsync(ISingleflight<string> singleflight, StreamBackend<int> backend)
    {
        var readers = new[] { Read(singleflight, backend.Run), Read(singleflight, backend.Run) };
        var items = readers.Select(reader => reader.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(2).ConfigureAwait(false);
        return (readers, items, await backend.NextRunAsync().ConfigureAwait(false));
    }

    private static StreamCaller<int> Read(ISingleflight<string> singleflight, Func<CancellationToken, IAsyncEnumerable<int>> source, StreamOptions options) =>
        new(singleflight.ExecuteStreamAsync(Key, source, options));

    private static StreamCaller<int> Read(ISingleflight<string> singleflight, Func<CancellationToken, IAsyncEnumerable<int>> source, CancellationToken cancellationToken = default) =>
        new(singleflight.ExecuteStreamAsync(Key, source, cancellationToken));
}
