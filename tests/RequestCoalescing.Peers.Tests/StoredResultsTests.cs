namespace RequestCoalescing.Peers.Tests;

/// <summary>A call that comes after the run has ended.</summary>
public sealed class StoredResultsTests
{
    [Fact]
    public async Task Singleflight_calls_the_backend_again_because_it_is_no_cache()
    {
        var singleflight = new Singleflight();
        Assert.Equal(2, await SecondCallAsync(result => singleflight.CallAsync(_ => ValueTask.FromResult(result))));
    }

    [Fact]
    public async Task HybridCache_answers_from_its_cache()
    {
        var cache = NewHybridCache();
        Assert.Equal(1, await SecondCallAsync(result => cache.CallAsync(_ => ValueTask.FromResult(result))));
    }

    [Fact]
    public async Task FusionCache_answers_from_its_cache()
    {
        var cache = NewFusionCache();
        Assert.Equal(1, await SecondCallAsync(result => cache.CallAsync(_ => ValueTask.FromResult(result))));
    }

    [Fact]
    public async Task LazyTasks_without_removal_keep_the_result_for_good()
    {
        var tasks = new LazyTasks<int>(removes: false);
        Assert.Equal(1, await SecondCallAsync(result => tasks.CallAsync(() => Task.FromResult(result))));
    }

    private static async Task<int> SecondCallAsync(Func<int, Task<int>> call)
    {
        await call(1).SoonAsync();
        return await call(2).SoonAsync();
    }
}
