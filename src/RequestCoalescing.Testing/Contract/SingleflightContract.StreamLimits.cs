namespace RequestCoalescing.Testing;

// The limits of flights that stream, in time and in number.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Stream_The_first_item_is_in_time_and_the_stream_then_lasts_longer_than_the_maximum_duration()
    {
        var singleflight = Create(options => options.MaxDuration = s_second);
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run, new StreamOptions { MaxIdle = TimeSpan.FromMinutes(1) });
        var item = reader.NextAsync();
        var run = await backend.NextRunAsync();
        for (var next = 0; next < 5; next++)
        {
            run.Yield(next);
            Assert.Equal(next, await item);
            item = reader.NextAsync();
            Clock.Advance(s_second * 10);
        }

        await using var late = Read(singleflight, backend.Run);
        Assert.Equal(0, await late.NextAsync());
        run.End();
        await item.ThrowsAsync<InvalidOperationException>();
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Stream_Without_a_first_item_the_callers_get_a_timeout_after_the_maximum_duration()
    {
        var singleflight = Create(options => options.MaxDuration = s_second);
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        var item = reader.NextAsync();
        var run = await backend.NextRunAsync();
        await singleflight.UntilSubscribersAsync(1);

        Clock.Advance(s_second);

        await item.ThrowsAsync<FlightTimeoutException>();
        await run.DisposedAsync();
        Assert.Equal(1, singleflight.GetStats().TimedOut);
    }

    [Fact]
    public async Task Stream_A_caller_after_the_join_window_starts_a_new_flight()
    {
        var singleflight = Create(options => options.JoinWindow = s_second);
        var backend = new StreamBackend<int>();
        await using var early = Read(singleflight, backend.Run);
        var first = early.NextAsync();
        var run = await backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await first);
        Clock.Advance(s_second * 2);

        await using var late = Read(singleflight, backend.Run);
        var anew = late.NextAsync();
        (await backend.NextRunAsync()).Yield(2);

        Assert.Equal(2, await anew);
    }

    [Fact]
    public async Task Stream_A_caller_past_the_limit_of_subscribers_is_rejected()
    {
        var singleflight = Create(options => options.MaxSubscribers = 1);
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        _ = reader.NextAsync();
        await singleflight.UntilSubscribersAsync(1);

        var rejection = await Read(singleflight, backend.Run).NextAsync().ThrowsAsync<FlightRejectedException>();

        Assert.Equal(FlightRejectionReason.MaxSubscribers, rejection.Reason);
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Stream_A_stream_takes_a_slot_until_it_ends()
    {
        var singleflight = Create(options => options.MaxInFlight = 1);
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        var first = reader.NextAsync();
        var run = await backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await first);

        var rejected = singleflight.ExecuteAsync("another", static _ => new ValueTask<int>(1)).AsTask();
        Assert.Equal(FlightRejectionReason.MaxInFlight, (await rejected.ThrowsAsync<FlightRejectedException>()).Reason);
        run.End();
        Assert.Empty(await reader.RestAsync());
        Assert.Equal(1, await singleflight.ExecuteAsync("another", static _ => new ValueTask<int>(1)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Stream_A_caller_past_the_limit_that_runs_alone_has_a_run_of_its_own()
    {
        var singleflight = Create(options => (options.MaxSubscribers, options.Overflow) = (1, OverflowBehavior.RunAlone));
        var backend = new StreamBackend<int>();
        await using var reader = Read(singleflight, backend.Run);
        var first = reader.NextAsync();
        var run = await backend.NextRunAsync();
        await using var alone = Read(singleflight, backend.Run);
        var own = alone.NextAsync();
        (await backend.NextRunAsync()).Yield(2);
        run.Yield(1);

        Assert.Equal((1, 2), (await first, await own));
    }
}
