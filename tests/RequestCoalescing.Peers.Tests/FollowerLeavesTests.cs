namespace RequestCoalescing.Peers.Tests;

/// <summary>The token of a caller that joined fires while the leader waits.</summary>
public sealed class FollowerLeavesTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public Task Singleflight_lets_a_follower_leave_at_once_with_its_own_token()
    {
        var singleflight = new Singleflight();
        return LeavesAtOnceAsync(token => singleflight.CallAsync(_backend.RunStubbornAsync, token));
    }

    [Fact]
    public Task HybridCache_lets_a_follower_leave_at_once_with_its_own_token()
    {
        var cache = NewHybridCache();
        return LeavesAtOnceAsync(token => cache.CoalesceAsync(_backend.RunStubbornAsync, token));
    }

    [Fact]
    public Task FusionCache_lets_a_follower_leave_at_once_with_its_own_token()
    {
        var cache = NewFusionCache();
        return LeavesAtOnceAsync(token => cache.CallAsync(_backend.RunStubbornAsync, token));
    }

    [Fact]
    public Task LazyTasks_let_a_follower_leave_at_once_with_its_own_token_if_it_bounds_its_wait()
    {
        var tasks = new LazyTasks<int>();
        return LeavesAtOnceAsync(token => tasks.CallAsync(_backend, token));
    }

    private async Task LeavesAtOnceAsync(Func<CancellationToken, Task<int>> call)
    {
        using var aborted = new CancellationTokenSource();
        var leader = call(default);
        var run = await _backend.NextRunAsync();
        var follower = call(aborted.Token);
        await aborted.CancelAsync();

        await follower.LeavesWithAsync(aborted.Token);
        Assert.False(leader.IsCompleted);
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }
}
