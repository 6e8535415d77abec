namespace RequestCoalescing.Tests;

/// <summary>
/// Callers with a token that join a flight without the gate: those that come after two followers. The clock is read between a caller's look and its
/// join, so that a test can force something to happen in between.
/// </summary>
public sealed class ArrivalsTests : IAsyncDisposable
{
    private const string Key = "hot";

    private readonly HookedClock _clock = new();
    private readonly Backend<int> _backend = new();
    private readonly List<CancellationTokenSource> _tokens = [];
    private readonly Singleflight<string> _singleflight;

    public ArrivalsTests() => _singleflight = new Singleflight<string>(
        new SingleflightOptions { TimeProvider = _clock, MaxDuration = TimeSpan.FromSeconds(30), JoinWindow = TimeSpan.FromSeconds(20) });

    [Theory]
    [InlineData("forget")]
    [InlineData("clear")]
    [InlineData("expire")]
    [InlineData("land")]
    [InlineData("grow old")]
    public async Task A_flight_that_is_closed_between_look_and_join_is_not_joined(string close)
    {
        var crowd = await FlyAsync();
        var first = await _backend.NextRunAsync();
        Task<int>? land = null;
        _clock.HookOnce(() =>
        {
            if (close == "forget") Assert.True(_singleflight.Forget(Key));
            else if (close == "clear") _singleflight.Clear();
            else if (close == "expire") _clock.Advance(TimeSpan.FromSeconds(31));
            else if (close == "grow old") _clock.Advance(TimeSpan.FromSeconds(21));
            else
            {
                first.Succeed(1);
                land = crowd[0];
                Assert.True(land.Wait(Patience.Limit));
            }
        });

        var joiner = Call();
        var second = await _backend.NextRunAsync();
        second.Succeed(2);
        Assert.Equal(2, await joiner.SoonAsync());
        if (close is not ("expire" or "land")) first.Succeed(1);
        foreach (var caller in crowd)
        {
            if (close == "expire") await caller.ThrowsAsync<FlightTimeoutException>();
            else Assert.Equal(1, await caller.SoonAsync());
        }

        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_caller_whose_token_fires_between_look_and_join_leaves()
    {
        var crowd = await FlyAsync();
        var run = await _backend.NextRunAsync();
        using var token = new CancellationTokenSource();
        _clock.HookOnce(token.Cancel);

        await Call(token.Token).LeavesWithAsync(token.Token);
        Assert.Equal(crowd.Count, _singleflight.GetStats().TotalSubscribers);
        run.Succeed(1);
        Assert.All(await Task.WhenAll(crowd).SoonAsync(), outcome => Assert.Equal(1, outcome));
    }

    [Fact]
    public async Task A_flight_that_all_have_left_between_look_and_join_is_not_joined()
    {
        var crowd = await FlyAsync();
        var first = await _backend.NextRunAsync();
        _clock.HookOnce(() => _tokens.ForEach(static token => token.Cancel()));

        using var stays = new CancellationTokenSource();
        var joiner = Call(stays.Token);
        for (var i = 0; i < crowd.Count; i++) await crowd[i].LeavesWithAsync(_tokens[i].Token);
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await joiner.SoonAsync());
        await first.CancelledAsync();
    }

    [Fact]
    public async Task Arrivals_keep_a_flight_in_the_air_that_all_others_have_left()
    {
        var crowd = await FlyAsync();
        var run = await _backend.NextRunAsync();
        var arrival = Call();
        for (var i = 0; i < crowd.Count; i++)
        {
            await _tokens[i].CancelAsync();
            await crowd[i].LeavesWithAsync(_tokens[i].Token);
        }

        Assert.Equal(1, _singleflight.GetStats().TotalSubscribers);
        var later = Call();
        var shared = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        Assert.Equal(3, _singleflight.GetStats().TotalSubscribers);
        run.Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1, 1], await Task.WhenAll(arrival, later, shared).SoonAsync());
        Assert.Equal(1, _backend.Runs);
        Assert.Equal((0L, 5L), (_singleflight.GetStats().TotalSubscribers, _singleflight.GetStats().Coalesced));
    }

    [Fact]
    public async Task The_last_arrival_that_leaves_cancels_the_work()
    {
        var crowd = await FlyAsync();
        var run = await _backend.NextRunAsync();
        var arrival = Call();
        for (var i = 0; i < _tokens.Count; i++) await _tokens[i].CancelAsync();

        await run.CancelledAsync();
        await arrival.LeavesWithAsync(_tokens[^1].Token);
        Assert.Equal((0, 0L), (_singleflight.GetStats().InFlightCount, _singleflight.GetStats().TotalSubscribers));
        Assert.Equal(3, crowd.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_leader_is_elected_among_the_arrivals(bool oneHasLeft)
    {
        using var leaves = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync(Key, _ => _backend.RunAsync(leaves.Token), leaves.Token).AsTask(); // the mistake: the leader's token
        await _backend.NextRunAsync();
        Task<int>[] crowd = [Call(), Call(), Call(), Call(), Call()]; // the last three are arrivals
        await _tokens[0].CancelAsync();
        await _tokens[1].CancelAsync();
        if (oneHasLeft) await _tokens[3].CancelAsync(); // stays among the arrivals, marked
        await leaves.CancelAsync();

        var second = await _backend.NextRunAsync();
        await leader.LeavesWithAsync(leaves.Token);
        if (!oneHasLeft) await _tokens[3].CancelAsync();
        await crowd[3].LeavesWithAsync(_tokens[3].Token);
        var later = Call();
        Assert.Equal(3, _singleflight.GetStats().TotalSubscribers);
        second.Succeed(2);
        Assert.Equal((IEnumerable<int>)[2, 2, 2], await Task.WhenAll(crowd[2], crowd[4], later).SoonAsync());
        Assert.Equal(2, _backend.Runs);
        Assert.Equal((1L, 6L), (_singleflight.GetStats().Elections, _singleflight.GetStats().Coalesced));
    }

    [Fact]
    public async Task A_flight_whose_leader_is_replaced_between_look_and_join_is_joined_under_its_successor()
    {
        using var leaves = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync(Key, _ => _backend.RunAsync(leaves.Token), leaves.Token).AsTask(); // the mistake: the leader's token
        await _backend.NextRunAsync();
        Task<int>[] crowd = [Call(), Call()];
        Task<BackendRun<int>>? second = null;
        _clock.HookOnce(() =>
        {
            leaves.Cancel();
            second = _backend.NextRunAsync();
            Assert.True(second.Wait(Patience.Limit));
        });

        var joiner = Call();
        await leader.LeavesWithAsync(leaves.Token);
        Assert.Equal(3, _singleflight.GetStats().TotalSubscribers);
        (await second!).Succeed(2);
        Assert.Equal((IEnumerable<int>)[2, 2, 2], await Task.WhenAll(crowd[0], crowd[1], joiner).SoonAsync());
    }

    [Fact]
    public async Task A_caller_that_joins_while_the_last_ones_leave_waits_for_a_run_or_leads_one()
    {
        await using var singleflight = new Singleflight<int>();
        using var turns = new Barrier(2);
        const int Rounds = 4_000;
        var crowds = new CancellationTokenSource[Rounds];
        var joins = new (Task<int> Call, CancellationTokenSource Token)[Rounds];
        Crowd.Run(2, thread =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                if (thread == 0)
                {
                    crowds[round] = new CancellationTokenSource();
                    for (var i = 0; i < 3; i++) _ = Run(round, crowds[round].Token);
                }

                turns.SignalAndWait();
                Thread.SpinWait(round * (thread + 1) % 61);
                if (thread == 0)
                {
                    crowds[round].Cancel();
                    continue;
                }

                var token = new CancellationTokenSource();
                joins[round] = (Run(round, token.Token), token);
            }
        });
        foreach (var (call, token) in joins)
        {
            Assert.False(call.IsCompleted);
            await token.CancelAsync();
            await call.LeavesWithAsync(token.Token);
            token.Dispose();
        }

        foreach (var crowd in crowds) crowd.Dispose();

        Task<int> Run(int key, CancellationToken token) => singleflight.ExecuteAsync(
            key,
            static async flight =>
            {
                await Task.Delay(Timeout.Infinite, flight).ConfigureAwait(false);
                return 1;
            },
            token).AsTask();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Arrivals_of_a_forgotten_flight_can_leave_it_and_get_its_outcome(bool expires)
    {
        await FlyAsync();
        var run = await _backend.NextRunAsync();
        Task<int>[] arrivals = [Call(), Call(), Call()];
        Assert.True(_singleflight.Forget(Key));
        Assert.Equal(6, _singleflight.GetStats().LargestFlight);
        await _tokens[4].CancelAsync();
        await arrivals[1].LeavesWithAsync(_tokens[4].Token);
        Assert.Equal(5, _singleflight.GetStats().TotalSubscribers);

        if (!expires)
        {
            run.Succeed(1);
            Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(arrivals[0], arrivals[2]).SoonAsync());
            return;
        }

        _clock.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(5, (await arrivals[0].ThrowsAsync<FlightTimeoutException>()).Subscribers);
        await arrivals[2].ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task More_arrivals_than_are_admitted_at_once_leave_one_by_one()
    {
        const int Callers = 1_000;
        await FlyAsync();
        var run = await _backend.NextRunAsync();
        var arrivals = Enumerable.Range(0, Callers).Select(_ => Call()).ToArray();
        Assert.Equal(Callers + 3, _singleflight.GetStats().LargestFlight);
        for (var i = 0; i < Callers; i += 2)
        {
            await _tokens[i + 3].CancelAsync();
            await arrivals[i].LeavesWithAsync(_tokens[i + 3].Token);
        }

        Assert.Equal((Callers / 2) + 3, _singleflight.GetStats().TotalSubscribers);
        run.Succeed(1);
        for (var i = 1; i < Callers; i += 2) Assert.Equal(1, await arrivals[i].SoonAsync());
        Assert.Equal(Callers + 2, _singleflight.GetStats().Coalesced);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Most_arrivals_leave_and_each_is_counted(bool oldestFirst, bool allLeave)
    {
        const int Callers = 1_003;
        var callers = await FlyAsync();
        var run = await _backend.NextRunAsync();
        while (callers.Count < Callers) callers.Add(Call());
        var staying = allLeave ? 0 : 10;
        for (var left = 1; left <= Callers - staying; left++)
        {
            if (left == Callers) callers.Add(Call()); // before the last one leaves
            await LeaveAsync(oldestFirst ? left - 1 : Callers - left);
            var stats = _singleflight.GetStats();
            Assert.Equal((callers.Count - (long)left, callers.Count - left, callers.Count - 1L), (stats.TotalSubscribers, stats.LargestFlight, stats.Coalesced));
        }

        if (allLeave)
        {
            await LeaveAsync(Callers);
            await run.CancelledAsync();
        }
        else
        {
            run.Succeed(1);
            foreach (var caller in oldestFirst ? callers[^staying..] : callers[..staying]) Assert.Equal(1, await caller.SoonAsync());
        }

        Assert.Equal((0, 0L, callers.Count - 1L), (_singleflight.GetStats().InFlightCount, _singleflight.GetStats().TotalSubscribers, _singleflight.GetStats().Coalesced));
        Assert.Equal(1, _backend.Runs);

        async Task LeaveAsync(int caller)
        {
            await _tokens[caller].CancelAsync();
            await callers[caller].LeavesWithAsync(_tokens[caller].Token);
        }
    }

    [Fact]
    public async Task A_caller_that_has_left_and_awaits_after_the_landing_sees_that_it_has_left()
    {
        await FlyAsync();
        var run = await _backend.NextRunAsync();
        using var leaves = new CancellationTokenSource();
        var stays = Call(); // the landing comes to it after the one that has left
        var leaver = _singleflight.ExecuteAsync(Key, _backend.RunAsync, leaves.Token);
        await leaves.CancelAsync();
        run.Succeed(1);
        Assert.Equal(1, await stays.SoonAsync());
        await leaver.AsTask().LeavesWithAsync(leaves.Token);
    }

    [Fact]
    public async Task A_caller_whose_token_fires_while_it_joins_leaves_exactly_once()
    {
        const int Rounds = 20_000;
        await FlyAsync();
        var run = await _backend.NextRunAsync();
        var tokens = Enumerable.Range(0, Rounds).Select(static _ => new CancellationTokenSource()).ToArray();
        var calls = new Task<int>[Rounds];
        var (joins, cancels) = (-1, -1);
        Crowd.Run(2, thread =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                if (thread == 0)
                {
                    Volatile.Write(ref joins, round);
                    calls[round] = Call(tokens[round].Token);
                    Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref cancels) == round, Patience.Limit));
                }
                else
                {
                    Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref joins) == round, Patience.Limit));
                    for (var spin = round % 1_500; spin > 0; spin--) _ = Volatile.Read(ref joins); // finer than SpinWait
                    tokens[round].Cancel();
                    Volatile.Write(ref cancels, round);
                }
            }
        });
        for (var round = 0; round < Rounds; round++) await calls[round].LeavesWithAsync(tokens[round].Token);
        Assert.Equal(3, _singleflight.GetStats().TotalSubscribers);
        _tokens.ForEach(static token => token.Cancel());
        await run.CancelledAsync();
        Assert.Equal((0, 0L), (_singleflight.GetStats().InFlightCount, _singleflight.GetStats().TotalSubscribers));
        foreach (var token in tokens) token.Dispose();
    }

    [Fact]
    public async Task Arrivals_whose_tokens_fire_under_the_gate_leave()
    {
        var callers = await FlyAsync();
        var run = await _backend.NextRunAsync();
        while (callers.Count < 200) callers.Add(Call());
        _clock.HookOnce(() => _tokens.ForEach(static token => token.Cancel()));
        _singleflight.GetStats(); // asks for the time under the gate

        for (var i = 0; i < callers.Count; i++) await callers[i].LeavesWithAsync(_tokens[i].Token);
        await run.CancelledAsync();
        Assert.Equal((0L, callers.Count - 1L), (_singleflight.GetStats().TotalSubscribers, _singleflight.GetStats().Coalesced));
    }

    [Fact]
    public async Task A_wait_within_work_that_has_left_its_flight_closes_no_circle()
    {
        using var leaves = new CancellationTokenSource();
        var returns = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ends = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var callers = Enumerable.Range(0, 3).Select(_ => CallBack()).ToArray();
        var other = _singleflight.ExecuteAsync("other", async _ =>
        {
            await CallBack(leaves.Token).LeavesWithAsync(leaves.Token); // an arrival
            await ends.Task;
            return 2;
        }).AsTask();
        await _singleflight.UntilSubscribersAsync(5);
        await leaves.CancelAsync();
        await _singleflight.UntilSubscribersAsync(4);

        // The work that all wait for waits for the other work. If the other work's wait still counted, this would be a circle.
        returns.SetResult();
        await _singleflight.UntilSubscribersAsync(5);
        ends.SetResult();
        Assert.All(await Task.WhenAll([other, .. callers]).SoonAsync(), outcome => Assert.Equal(2, outcome));

        Task<int> CallBack(CancellationToken? token = null)
        {
            _tokens.Add(new CancellationTokenSource());
            return _singleflight.ExecuteAsync(Key, WaitForOtherAsync, token ?? _tokens[^1].Token).AsTask();
        }

        async ValueTask<int> WaitForOtherAsync(CancellationToken flight)
        {
            await returns.Task;
            return await _singleflight.ExecuteAsync("other", _backend.RunAsync, flight);
        }
    }

    [Fact]
    public async Task Every_caller_with_a_token_is_counted_once_while_others_leave()
    {
        const int Threads = 4;
        const int Calls = 200;
        for (var round = 0; round < 50; round++)
        {
            await using var singleflight = new Singleflight();
            var backend = new Backend<int>();
            var left = 0;
            var leader = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
            var run = await backend.NextRunAsync();
            var stay = new Task<int>[Threads * Calls];
            Crowd.Run(Threads, thread =>
            {
                using var stays = new CancellationTokenSource();
                for (var i = 0; i < Calls; i++)
                {
                    stay[(thread * Calls) + i] = singleflight.ExecuteAsync(Key, backend.RunAsync, stays.Token).AsTask();
                    if (i % 3 != 0) continue;
                    using var leaves = new CancellationTokenSource();
                    var leaver = singleflight.ExecuteAsync(Key, backend.RunAsync, leaves.Token).AsTask();
                    leaves.Cancel();
                    Assert.ThrowsAny<OperationCanceledException>(() => leaver.SoonAsync().GetAwaiter().GetResult());
                    Interlocked.Increment(ref left);
                }
            });

            var stats = singleflight.GetStats();
            Assert.Equal((stay.Length + 1, stay.Length + 1L, stay.Length + (long)left), (stats.LargestFlight, stats.TotalSubscribers, stats.Coalesced));
            run.Succeed(round);
            Assert.Equal(round, await leader.SoonAsync());
            Assert.All(await Task.WhenAll(stay).SoonAsync(), outcome => Assert.Equal(round, outcome));
            Assert.Equal((1, 0L, stay.Length + (long)left), (backend.Runs, singleflight.GetStats().TotalSubscribers, singleflight.GetStats().Coalesced));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _singleflight.DisposeAsync();
        _tokens.ForEach(static token => token.Dispose());
    }

    // A leader and two followers, after which callers need no gate.
    private async Task<List<Task<int>>> FlyAsync()
    {
        List<Task<int>> crowd = [Call(), Call(), Call()];
        await _singleflight.UntilSubscribersAsync(3);
        return crowd;
    }

    private Task<int> Call()
    {
        var token = new CancellationTokenSource();
        _tokens.Add(token);
        return Call(token.Token);
    }

    private Task<int> Call(CancellationToken token) => _singleflight.ExecuteAsync(Key, _backend.RunAsync, token).AsTask();
}
