namespace RequestCoalescing.Testing;

// 7. No flight takes longer than MaxDuration.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law07_On_expiry_every_subscriber_gets_a_timeout_and_the_key_is_free()
    {
        var singleflight = Create(options => options.MaxDuration = 10 * s_second);
        var backend = new Backend<int>();
        var callers = await WaitingCallersAsync(singleflight, 5, backend.RunStubbornAsync);
        var hung = await backend.NextRunAsync();

        Clock.Advance((10 * s_second) - TimeSpan.FromMilliseconds(1));
        Assert.All(callers, caller => Assert.False(caller.IsCompleted));
        Clock.Advance(TimeSpan.FromMilliseconds(1));

        foreach (var caller in callers) await caller.ThrowsAsync<FlightTimeoutException>();
        await hung.CancelledAsync();
        var stats = singleflight.GetStats();
        Assert.Equal((0, 0L, 1, 1L), (stats.InFlightCount, stats.TotalSubscribers, stats.AbandonedCount, stats.TimedOut));

        var next = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        hung.Succeed(1);
        await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the abandoned work has ended");
        var joining = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        run.Succeed(2);
        Assert.Equal(2, await next.SoonAsync());
        Assert.Equal(2, await joining.SoonAsync());
    }

    [Fact]
    public async Task Law07_Abandoned_work_is_counted_only_until_it_ends()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];

        Clock.Advance(30 * s_second);

        await caller.ThrowsAsync<TimeoutException>();
        await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the work has ended");
    }

    [Fact]
    public async Task Law07_Each_flight_has_its_own_deadline()
    {
        var singleflight = Create(options => options.MaxDuration = 10 * s_second);
        var first = new Backend<int>();
        var second = new Backend<int>();

        var early = singleflight.ExecuteAsync("early", first.RunAsync).AsTask();
        await singleflight.UntilSubscribersAsync(1);
        Clock.Advance(4 * s_second);
        var late = singleflight.ExecuteAsync("late", second.RunAsync).AsTask();
        await singleflight.UntilSubscribersAsync(2);

        Clock.Advance(6 * s_second);
        await early.ThrowsAsync<FlightTimeoutException>();
        Assert.False(late.IsCompleted);
        Clock.Advance(4 * s_second);
        await late.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task Law07_Abandoned_work_counts_against_MaxInFlight_until_it_ends()
    {
        var singleflight = Create(options => options.MaxInFlight = 1);
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunStubbornAsync))[0];
        var hung = await backend.NextRunAsync();
        Clock.Advance(30 * s_second);
        await caller.ThrowsAsync<FlightTimeoutException>();

        var refused = await singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal(FlightRejectionReason.MaxInFlight, refused.Reason);

        hung.Succeed(1);
        await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the abandoned work has ended");
        Assert.Equal(2, await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Law07_A_forgotten_flight_expires_too()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        singleflight.Forget(Key);

        Clock.Advance(30 * s_second);

        await caller.ThrowsAsync<FlightTimeoutException>();
    }
}
