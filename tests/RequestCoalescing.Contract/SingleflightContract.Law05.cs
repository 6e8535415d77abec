namespace RequestCoalescing.Contract;

// 5. Somebody else's cancellation is not your error.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law05_When_the_work_dies_of_its_leaders_token_the_others_elect_a_leader_for_one_new_flight()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        // The classic mistake: the work captures the token of the request that happened to come first.
        var leader = singleflight.ExecuteAsync(Key, _ => backend.RunAsync(aborted.Token), aborted.Token).AsTask();
        await backend.NextRunAsync();
        var followers = await WaitingCallersAsync(singleflight, 10, backend.RunAsync);
        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        (await backend.NextRunAsync()).Succeed(2);
        Assert.All(await Task.WhenAll(followers).SoonAsync(), got => Assert.Equal(2, got));
        Assert.Equal(2, backend.Runs);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Law05_Elections_are_bounded_and_then_the_cancellation_is_reported()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var tokens = Enumerable.Range(0, 5).Select(_ => new CancellationTokenSource()).ToArray();
        var callers = new List<Task<int>>();
        foreach (var source in tokens)
        {
            callers.Add(singleflight.ExecuteAsync(Key, _ => backend.RunAsync(source.Token), source.Token).AsTask());
            await singleflight.UntilSubscribersAsync(callers.Count);
        }

        for (var leader = 0; leader < 4; leader++)
        {
            var run = await backend.NextRunAsync();
            Assert.Equal(tokens[leader].Token, run.Token);
            await tokens[leader].CancelAsync();
            await callers[leader].LeavesWithAsync(tokens[leader].Token);
        }

        await callers[4].ThrowsAsync<OperationCanceledException>();
        Assert.Equal(4, backend.Runs);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Law05_A_cancelled_end_that_nobody_asked_for_is_shared_and_not_retried()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var alive = new CancellationTokenSource();

        var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask();
        var followers = await WaitingCallersAsync(singleflight, 5, backend.RunAsync);
        var timeout = new TaskCanceledException("The request timed out.", new TimeoutException());
        (await backend.NextRunAsync()).Fail(timeout);

        foreach (var caller in followers.Prepend(leader)) Assert.Same(timeout, await caller.ThrowsAsync<TaskCanceledException>());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law05_An_elected_leader_leads_in_its_own_context()
    {
        var singleflight = Create();
        var ambient = new AsyncLocal<string>();
        using var aborted = new CancellationTokenSource();
        var backend = new Backend<string>();

        ambient.Value = "leader";
        var leader = singleflight.ExecuteAsync(Key, _ => backend.RunAsync(aborted.Token), aborted.Token).AsTask();
        await backend.NextRunAsync();
        ambient.Value = "follower";
        var follower = (await WaitingCallersAsync(singleflight, 1, async _ =>
        {
            await Task.Yield();
            return ambient.Value!;
        }))[0];
        ambient.Value = "neither";
        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        Assert.Equal("follower", await follower.SoonAsync());
    }

    [Fact]
    public async Task Law05_An_election_in_which_nobody_is_left_is_none()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        var callers = Enumerable.Range(0, 3)
            .Select(_ => singleflight.ExecuteAsync(Key, _ => backend.RunAsync(aborted.Token), aborted.Token).AsTask()).ToArray();
        await backend.NextRunAsync();
        await singleflight.UntilSubscribersAsync(3);
        await aborted.CancelAsync();

        foreach (var caller in callers) await caller.LeavesWithAsync(aborted.Token);
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 0, "the flight has landed");
        Assert.Equal(1, backend.Runs);
    }
}
