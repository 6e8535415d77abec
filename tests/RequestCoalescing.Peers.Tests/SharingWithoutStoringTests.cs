using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>Concurrent callers of a result that may not be kept.</summary>
public sealed class SharingWithoutStoringTests
{
    [Fact]
    public Task Singleflight_shares_a_run_and_stores_nothing()
    {
        var singleflight = new Singleflight();
        return SharesAndStoresNothingAsync(backend => singleflight.CallAsync(backend.RunAsync));
    }

    [Fact]
    public Task HybridCache_shares_a_run_and_stores_nothing_if_its_caches_are_disabled()
    {
        var cache = NewHybridCache();
        return SharesAndStoresNothingAsync(backend => cache.CoalesceAsync(backend.RunAsync));
    }

    [Fact]
    public async Task FusionCache_runs_the_work_of_each_caller_in_turn_if_its_memory_cache_is_skipped()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { SkipMemoryCacheRead = true, SkipMemoryCacheWrite = true };
        var backend = new Backend<int>();
        var callers = Enumerable.Range(0, 3).Select(_ => cache.CallAsync(backend.RunAsync, options)).ToArray();

        for (var turn = 1; turn <= callers.Length; turn++)
        {
            var run = await backend.NextRunAsync();
            Assert.Equal(turn, backend.Runs); // the others wait for their turn
            run.Succeed(turn);
        }

        Assert.Equal([1, 2, 3], (await Task.WhenAll(callers).SoonAsync()).Order());
    }

    [Fact]
    public Task LazyTasks_with_removal_share_a_run_and_store_nothing()
    {
        var tasks = new LazyTasks<int>();
        return SharesAndStoresNothingAsync(backend => tasks.CallAsync(backend));
    }

    private static async Task SharesAndStoresNothingAsync(Func<Backend<int>, Task<int>> call)
    {
        var backend = new Backend<int>();
        for (var round = 1; round <= 2; round++)
        {
            var callers = Enumerable.Range(0, 3).Select(_ => call(backend)).ToArray();
            (await backend.NextRunAsync()).Succeed(round);
            Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Equal(round, got));
        }

        Assert.Equal(2, backend.Runs);
    }
}
