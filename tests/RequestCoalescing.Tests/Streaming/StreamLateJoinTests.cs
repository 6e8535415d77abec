namespace RequestCoalescing.Tests.Streaming;

/// <summary>Callers of a stream whose decorators let them join late, or hide the flight that they join.</summary>
public sealed class StreamLateJoinTests
{
    private readonly StreamBackend<int> _backend = new();
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Theory]
    [InlineData(null)]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task A_caller_that_joins_later_than_it_seemed_ends_with_the_stream_that_it_has_read(Type? error)
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var early = Read(hooked);
        var first = early.NextAsync();
        var run = await _backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await first);
        hooked.Join = _gate.Task;
        await using var late = Read(hooked);
        Assert.Equal(1, await late.NextAsync());
        var second = late.NextAsync();
        run.Yield(2);
        if (error is null) run.End();
        else run.Fail((Exception)Activator.CreateInstance(error)!);
        Assert.Equal(2, await second);
        Assert.Equal(2, await early.NextAsync());
        await early.NextAsync().ThrowsAsync<Exception>();
        var end = late.NextAsync();

        _gate.SetResult(); // only now it joins, and starts a flight

        Assert.IsType(error ?? typeof(InvalidOperationException), await end.ThrowsAsync<Exception>());
        await late.DisposeAsync();
        await (await _backend.NextRunAsync()).DisposedAsync();
    }

    [Fact]
    public async Task A_caller_that_joins_later_than_it_seemed_and_has_read_nothing_reads_its_own_flight()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var early = Read(hooked);
        var first = early.NextAsync();
        var run = await _backend.NextRunAsync();
        hooked.Join = _gate.Task;
        await using var late = Read(hooked);
        var own = late.NextAsync();
        run.Fail(new IOException());
        await first.ThrowsAsync<IOException>();

        _gate.SetResult();

        (await _backend.NextRunAsync()).Yield(5);
        Assert.Equal(5, await own);
    }

    [Fact]
    public async Task A_caller_that_joins_another_flight_than_it_seemed_reads_that_one()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var early = Read(hooked);
        var first = early.NextAsync();
        var run = await _backend.NextRunAsync();
        var join = hooked.Join = _gate.Task;
        await using var late = Read(hooked);
        var own = late.NextAsync();
        hooked.Join = Task.CompletedTask;
        hooked.Forget("key");
        await using var leader = Read(hooked);
        var led = leader.NextAsync();
        var next = await _backend.NextRunAsync();
        _gate.SetResult();
        await hooked.UntilSubscribersAsync(3);
        run.End();
        await first.ThrowsAsync<InvalidOperationException>();

        next.Yield(5);
        next.End();

        Assert.Equal((5, 5), (await led, await own));
        Assert.Empty(await late.RestAsync());
    }

    [Fact]
    public async Task A_caller_starts_a_new_flight_if_a_decorator_hides_the_one_whose_beginning_is_gone()
    {
        var hooked = new HookedSingleflight(new Singleflight()) { HidesFlight = true };
        await using var early = Read(hooked, new StreamOptions { MaxBufferedItems = 8 });
        var item = early.NextAsync();
        var run = await _backend.NextRunAsync();
        for (var next = 0; next < 20; next++)
        {
            run.Yield(next);
            Assert.Equal(next, await item);
            item = early.NextAsync();
        }

        await using var late = Read(hooked);
        var anew = late.NextAsync();
        (await _backend.NextRunAsync()).Yield(100);

        Assert.Equal(100, await anew);
    }

    [Fact]
    public async Task A_flight_whose_beginning_is_gone_is_closed_without_a_forget()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        var options = new StreamOptions { MaxBufferedItems = 8, Backpressure = StreamBackpressure.SlowestReader };
        await using var fast = new StreamCaller<int>(hooked.ExecuteStreamAsync("key", _ => Enumerable.Range(0, 100).ToAsyncEnumerable(), options));
        await using var slow = Read(hooked, options);
        Assert.Equal((0, 0), (await fast.NextAsync(), await slow.NextAsync()));
        Assert.Equal(1, await fast.NextAsync()); // the source waits for the slow reader, and for no third one

        await using var late = Read(hooked);
        var anew = late.NextAsync();
        (await _backend.NextRunAsync()).Yield(100);

        Assert.Equal(100, await anew);
        Assert.Equal(0, hooked.Forgets);
    }

    private StreamCaller<int> Read(ISingleflight<string> singleflight, StreamOptions? options = null) =>
        new(singleflight.ExecuteStreamAsync("key", _backend.Run, options ?? new StreamOptions()));
}
