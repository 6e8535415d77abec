namespace RequestCoalescing.Peers.Tests;

/// <summary>The first caller's token fires while others wait.</summary>
public sealed class LeaderLeavesTests
{
    private readonly Backend<int> _backend = new();
    private readonly CancellationTokenSource _aborted = new();

    [Fact]
    public Task Singleflight_lets_the_leader_leave_and_the_run_goes_on_for_the_others()
    {
        var singleflight = new Singleflight();
        return TheRunGoesOnAsync(token => singleflight.CallAsync(_backend.RunAsync, token));
    }

    [Fact]
    public Task HybridCache_lets_the_leader_leave_and_the_run_goes_on_for_the_others()
    {
        var cache = NewHybridCache();
        return TheRunGoesOnAsync(token => cache.CoalesceAsync(_backend.RunAsync, token));
    }

    [Fact]
    public async Task FusionCache_cancels_the_run_of_a_leader_that_leaves_and_the_next_waiter_starts_another()
    {
        var cache = NewFusionCache();
        var leader = cache.CallAsync(_backend.RunAsync, _aborted.Token);
        var run = await _backend.NextRunAsync();
        var follower = cache.CallAsync(_backend.RunAsync);
        await _aborted.CancelAsync();

        await leader.LeavesWithAsync(_aborted.Token);
        await run.CancelledAsync();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await follower.SoonAsync());
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task FusionCache_has_two_runs_at_once_after_the_leader_left_if_the_work_ignores_its_token()
    {
        var cache = NewFusionCache();
        var leader = cache.CallAsync(_backend.RunStubbornAsync, _aborted.Token);
        var first = await _backend.NextRunAsync();
        var follower = cache.CallAsync(_backend.RunStubbornAsync);
        await _aborted.CancelAsync();
        await leader.LeavesWithAsync(_aborted.Token);

        var second = await _backend.NextRunAsync();
        Assert.False(first.Completion.IsCompleted);
        first.Succeed(1);
        second.Succeed(2);
        Assert.Equal(2, await follower.SoonAsync());
    }

    [Fact]
    public Task LazyTasks_let_the_leader_leave_and_the_run_goes_on_for_the_others()
    {
        var tasks = new LazyTasks<int>();
        return TheRunGoesOnAsync(token => tasks.CallAsync(_backend, token));
    }

    private async Task TheRunGoesOnAsync(Func<CancellationToken, Task<int>> call)
    {
        var leader = call(_aborted.Token);
        var run = await _backend.NextRunAsync();
        var follower = call(default);
        await _aborted.CancelAsync();

        await leader.LeavesWithAsync(_aborted.Token);
        Assert.False(run.Token.IsCancellationRequested);
        run.Succeed(1);
        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }
}
