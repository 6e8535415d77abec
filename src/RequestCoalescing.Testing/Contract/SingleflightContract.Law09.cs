namespace RequestCoalescing.Testing;

// 9. A limit answers at once: a call past it is rejected or runs alone.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law09_A_caller_past_MaxSubscribers_is_rejected_and_the_flight_is_not_affected()
    {
        var singleflight = Create(options => options.MaxSubscribers = 3);
        var backend = new Backend<int>();
        var callers = await WaitingCallersAsync(singleflight, 3, backend.RunAsync);

        var rejected = await singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();

        Assert.Equal((FlightRejectionReason.MaxSubscribers, 3), (rejected.Reason, rejected.Limit));
        Assert.Equal(1, singleflight.GetStats().Rejected);
        (await backend.NextRunAsync()).Succeed(1);
        Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Equal(1, got));
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law09_A_subscriber_that_leaves_makes_room_for_another()
    {
        var singleflight = Create(options => options.MaxSubscribers = 2);
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();
        var leaving = singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token).AsTask();
        var staying = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        await aborted.CancelAsync();
        await leaving.LeavesWithAsync(aborted.Token);

        var joining = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(staying, joining).SoonAsync());
    }

    [Fact]
    public async Task Law09_A_caller_past_MaxSubscribers_runs_alone_if_Overflow_is_RunAlone()
    {
        var singleflight = Create(options => (options.MaxSubscribers, options.Overflow) = (1, OverflowBehavior.RunAlone));
        var backend = new Backend<int>();
        ValueTask<int> Call() => singleflight.ExecuteAsync(Key, backend, static (backend, flight) => backend.RunInFlightAsync(flight));

        var leader = Call().AsTask();
        var shared = await backend.NextRunAsync();
        var loner = Call().AsTask();
        var alone = await backend.NextRunAsync();
        Assert.True(shared.Flight.IsCurrent);
        Assert.False(alone.Flight.IsCurrent);
        Assert.Equal((false, true), (shared.Flight.IsAlone, alone.Flight.IsAlone));

        alone.Succeed(2);
        Assert.Equal(2, await loner.SoonAsync());
        Assert.False(leader.IsCompleted);
        shared.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.Equal(0, singleflight.GetStats().Rejected);
    }

    [Fact]
    public async Task Law09_A_flight_past_MaxInFlight_is_rejected_and_the_others_can_still_be_joined()
    {
        var singleflight = Create(options => options.MaxInFlight = 2);
        var backends = new[] { new Backend<int>(), new Backend<int>() };
        var callers = backends.Select((backend, key) => singleflight.ExecuteAsync($"{key}", backend.RunAsync).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(2);

        var rejected = await singleflight.ExecuteAsync("2", backends[0].RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal((FlightRejectionReason.MaxInFlight, 2), (rejected.Reason, rejected.Limit));
        var joining = singleflight.ExecuteAsync("1", backends[1].RunAsync).AsTask();
        await singleflight.UntilSubscribersAsync(3);

        (await backends[0].NextRunAsync()).Succeed(0);
        Assert.Equal(0, await callers[0].SoonAsync());
        Assert.Equal(2, await singleflight.ExecuteAsync("2", _ => ValueTask.FromResult(2)).AsTask().SoonAsync());
        (await backends[1].NextRunAsync()).Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(callers[1], joining).SoonAsync());
    }

    [Fact]
    public async Task Law09_A_flight_past_MaxInFlight_runs_alone_if_Overflow_is_RunAlone()
    {
        var singleflight = Create(options => (options.MaxInFlight, options.Overflow) = (1, OverflowBehavior.RunAlone));
        var backend = new Backend<int>();
        var seated = singleflight.ExecuteAsync("seated", backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();

        var loners = Enumerable.Range(0, 2).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask()).ToArray();
        var alone = new[] { await backend.NextRunAsync(), await backend.NextRunAsync() };
        alone[0].Succeed(2);
        alone[1].Succeed(2);
        Assert.Equal((IEnumerable<int>)[2, 2], await Task.WhenAll(loners).SoonAsync());
        run.Succeed(1);
        Assert.Equal(1, await seated.SoonAsync());

        // The runs alone took no slot and returned none. The first flight has returned its slot, and the next flight takes it.
        var next = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var current = await backend.NextRunAsync();
        Assert.True(singleflight.Forget(Key));
        current.Succeed(3);
        Assert.Equal(3, await next.SoonAsync());
    }
}
