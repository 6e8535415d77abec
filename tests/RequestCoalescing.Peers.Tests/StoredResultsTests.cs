namespace RequestCoalescing.Peers.Tests;

/// <summary>A call that comes after the run has ended.</summary>
public sealed class StoredResultsTests
{
    [Fact]
    public async Task Singleflight_calls_the_backend_again_because_it_is_no_cache()
    {
        var singleflight = new Singleflight();
        await singleflight.CallAsync(_ => ValueTask.FromResult(1)).SoonAsync();
        Assert.Equal(2, await singleflight.CallAsync(_ => ValueTask.FromResult(2)).SoonAsync());
    }

    [Fact]
    public async Task HybridCache_answers_from_its_cache()
    {
        var cache = NewHybridCache();
        await cache.CallAsync(_ => ValueTask.FromResult(1)).SoonAsync();
        Assert.Equal(1, await cache.CallAsync(_ => ValueTask.FromResult(2)).SoonAsync());
    }

    [Fact]
    public async Task FusionCache_answers_from_its_cache()
    {
        var cache = NewFusionCache();
        await cache.CallAsync(_ => ValueTask.FromResult(1)).SoonAsync();
        Assert.Equal(1, await cache.CallAsync(_ => ValueTask.FromResult(2)).SoonAsync());
    }

    [Fact]
    public async Task LazyTasks_without_removal_keep_the_result_for_good()
    {
        var tasks = new LazyTasks<int>(removes: false);
        await tasks.CallAsync(() => Task.FromResult(1)).SoonAsync();
        Assert.Equal(1, await tasks.CallAsync(() => Task.FromResult(2)).SoonAsync());
    }
}
