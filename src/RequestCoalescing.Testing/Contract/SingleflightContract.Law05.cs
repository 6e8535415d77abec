namespace RequestCoalescing.Testing;

// 5. The cancellation of one caller is not the error of another.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law05_Followers_elect_a_leader_when_the_leaders_token_cancels_the_work()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        // The usual mistake: the work uses the leader's token instead of the flight's token.
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
    public async Task Law05_After_three_elections_the_cancellation_is_reported()
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
    public async Task Law05_A_cancellation_that_no_caller_asked_for_is_shared_and_not_retried()
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
    public async Task Law05_The_work_of_an_elected_leader_runs_in_that_leaders_context()
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
    public async Task Law05_No_leader_is_elected_when_no_subscriber_is_left()
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
