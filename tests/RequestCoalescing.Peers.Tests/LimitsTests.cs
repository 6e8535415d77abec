using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>More callers, or more keys, than a backend that does not answer can bear.</summary>
public sealed class LimitsTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Singleflight_rejects_callers_and_runs_past_its_limits_at_once()
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxSubscribers = 2, MaxInFlight = 1 });
        Task<int>[] callers = [singleflight.CallAsync(_backend.RunAsync), singleflight.CallAsync(_backend.RunAsync)];

        var third = await singleflight.CallAsync(_backend.RunAsync).ThrowsAsync<FlightRejectedException>();
        Assert.Equal(FlightRejectionReason.MaxSubscribers, third.Reason);
        var other = await singleflight.ExecuteAsync("other", _backend.RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal(FlightRejectionReason.MaxInFlight, other.Reason);

        (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public Task HybridCache_lets_all_callers_wait_and_all_keys_load()
    {
        var cache = NewHybridCache();
        return NothingIsRejectedAsync(key => cache.GetOrCreateAsync(key, _backend.RunAsync).AsTask());
    }

    [Fact]
    public Task FusionCache_lets_all_callers_wait_and_all_keys_load()
    {
        var cache = NewFusionCache();
        return NothingIsRejectedAsync(key => cache.GetOrSetAsync<int>(key, (_, ct) => _backend.RunAsync(ct).AsTask()).AsTask());
    }

    [Fact]
    public async Task FusionCache_lets_a_waiter_run_its_own_work_when_the_lock_timeout_is_over()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { LockTimeout = TimeSpan.FromMilliseconds(1) };
        Task<int>[] callers = [cache.CallAsync(_backend.RunAsync, options), cache.CallAsync(_backend.RunAsync, options)];

        BackendRun<int>[] runs = [await _backend.NextRunAsync(), await _backend.NextRunAsync()]; // both at once
        foreach (var run in runs) run.Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
    }

    [Fact]
    public async Task LazyTasks_let_all_callers_wait()
    {
        var tasks = new LazyTasks<int>();
        var callers = Enumerable.Range(0, 1_000).Select(_ => tasks.CallAsync(_backend)).ToArray();
        Assert.All(callers, caller => Assert.False(caller.IsCompleted));
        (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
    }

    private async Task NothingIsRejectedAsync(Func<string, Task<int>> call)
    {
        const int Count = 1_000;
        var callers = Enumerable.Range(0, Count).SelectMany(key => new[] { call("same"), call($"{key}") }).ToArray();
        for (var run = 0; run <= Count; run++) (await _backend.NextRunAsync()).Succeed(1);

        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(1 + Count, _backend.Runs);
    }
}
