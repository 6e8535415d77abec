namespace RequestCoalescing.Peers.Tests;

/// <summary>Work that uses the token of the caller that happened to come first, a common mistake. That token fires while others wait.</summary>
public sealed class CapturedTokenTests
{
    private readonly Backend<int> _backend = new();
    private readonly CancellationTokenSource _aborted = new();

    [Fact]
    public Task Singleflight_lets_the_others_elect_a_leader_for_one_new_run() => TheOthersGetOneNewRunAsync(new Singleflight().CallAsync);

    [Fact]
    public Task HybridCache_gives_the_cancellation_of_one_caller_to_all()
    {
        var cache = NewHybridCache();
        return AllAreCancelledAsync(token => cache.CoalesceAsync(_ => _backend.RunAsync(_aborted.Token), token));
    }

    [Fact]
    public Task FusionCache_lets_the_next_waiter_run_its_own_work() => TheOthersGetOneNewRunAsync(NewFusionCache().CallAsync);

    [Fact]
    public Task LazyTasks_give_the_cancellation_of_one_caller_to_all()
    {
        var tasks = new LazyTasks<int>();
        return AllAreCancelledAsync(token => tasks.CallAsync(() => _backend.RunAsync(_aborted.Token).AsTask(), token));
    }

    private async Task TheOthersGetOneNewRunAsync(Func<Func<CancellationToken, ValueTask<int>>, CancellationToken, Task<int>> call)
    {
        var leader = call(_ => _backend.RunAsync(_aborted.Token), _aborted.Token);
        await _backend.NextRunAsync();
        var followers = Enumerable.Range(0, 3).Select(_ => call(_backend.RunAsync, default)).ToArray();
        await _aborted.CancelAsync();

        await leader.LeavesWithAsync(_aborted.Token);
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.All(await Task.WhenAll(followers).SoonAsync(), got => Assert.Equal(2, got));
        Assert.Equal(2, _backend.Runs);
    }

    private async Task AllAreCancelledAsync(Func<CancellationToken, Task<int>> call)
    {
        var leader = call(_aborted.Token);
        await _backend.NextRunAsync();
        using var alive = new CancellationTokenSource();
        Task<int>[] followers = [call(default), call(alive.Token)];
        await _aborted.CancelAsync();

        await leader.ThrowsAsync<OperationCanceledException>();
        foreach (var follower in followers) await follower.ThrowsAsync<OperationCanceledException>();
        Assert.Equal(1, _backend.Runs);
    }
}
