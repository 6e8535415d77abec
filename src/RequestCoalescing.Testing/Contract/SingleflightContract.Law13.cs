namespace RequestCoalescing.Testing;

// 13. An idle instance holds nothing, and disposal ends it.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law13_Nothing_is_in_flight_after_the_last_flight_has_landed()
    {
        var singleflight = Create();
        Assert.Equal(default, singleflight.GetStats());
        var backend = new Backend<int>();

        var callers = await WaitingCallersAsync(singleflight, 4, backend.RunAsync);
        Clock.Advance(s_second);
        var flying = singleflight.GetStats();
        Assert.Equal((1, 4L, s_second), (flying.InFlightCount, flying.TotalSubscribers, flying.OldestCallAge));
        (await backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(callers).SoonAsync();

        Assert.Equal(new SingleflightStats { Calls = 4, Flights = 1, Coalesced = 3, Succeeded = 1 }, singleflight.GetStats());
        Assert.Equal(0.75, singleflight.GetStats().HitRate);
    }

    [Fact]
    public async Task Law13_Disposal_cancels_and_awaits_the_flights_and_refuses_later_calls()
    {
        var singleflight = Create();
        var disposable = DisposableOrSkip(singleflight);
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunStubbornAsync))[0];
        var run = await backend.NextRunAsync();

        var disposal = disposable.DisposeAsync().AsTask();
        await run.CancelledAsync();
        Assert.False(disposal.IsCompleted);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await singleflight.ExecuteAsync(Key, backend.RunAsync));
        run.Succeed(1);

        Assert.Equal(1, await caller.SoonAsync());
        await disposal.SoonAsync();
        await disposable.DisposeAsync().AsTask().SoonAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await singleflight.ExecuteAsync(Key, backend.RunAsync));
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law13_Disposal_waits_for_hung_work_no_longer_than_MaxDuration()
    {
        var singleflight = Create();
        var disposable = DisposableOrSkip(singleflight);
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunStubbornAsync))[0];
        await backend.NextRunAsync();

        var disposal = disposable.DisposeAsync().AsTask();
        Clock.Advance(30 * s_second);

        await caller.ThrowsAsync<FlightTimeoutException>();
        await disposal.SoonAsync();
    }

    private static IAsyncDisposable DisposableOrSkip(ISingleflight<string> singleflight)
    {
        Assert.SkipUnless(singleflight is IAsyncDisposable, "The implementation is not IAsyncDisposable.");
        return (IAsyncDisposable)singleflight;
    }
}
