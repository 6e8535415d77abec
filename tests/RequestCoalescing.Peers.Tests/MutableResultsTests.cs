using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>A result that a caller could change for the others.</summary>
public sealed class MutableResultsTests
{
    private readonly Backend<List<int>> _backend = new();

    [Fact]
    public async Task Singleflight_gives_all_callers_the_same_instance()
    {
        var singleflight = new Singleflight();
        var (first, second) = await TwoCallersAsync(() => singleflight.CallAsync(_backend.RunAsync));
        Assert.Same(first, second);
    }

    [Fact]
    public async Task HybridCache_gives_each_caller_its_own_copy_of_a_result_that_can_change()
    {
        var cache = NewHybridCache();
        var (first, second) = await TwoCallersAsync(() => cache.CallAsync(_backend.RunAsync));
        Assert.NotSame(first, second);
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task FusionCache_gives_all_callers_the_same_instance()
    {
        var cache = NewFusionCache();
        var (first, second) = await TwoCallersAsync(() => cache.CallAsync(_backend.RunAsync));
        Assert.Same(first, second);
    }

    [Fact]
    public async Task FusionCache_gives_each_caller_its_own_copy_with_auto_clone()
    {
        var cache = NewFusionCache();
        cache.SetupSerializer(new ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson.FusionCacheSystemTextJsonSerializer());
        var options = new FusionCacheEntryOptions { EnableAutoClone = true };
        var (first, second) = await TwoCallersAsync(() => cache.CallAsync(_backend.RunAsync, options));
        Assert.NotSame(first, second);
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task LazyTasks_give_all_callers_the_same_instance()
    {
        var tasks = new LazyTasks<List<int>>();
        var (first, second) = await TwoCallersAsync(() => tasks.CallAsync(_backend));
        Assert.Same(first, second);
    }

    private async Task<(List<int> First, List<int> Second)> TwoCallersAsync(Func<Task<List<int>>> call)
    {
        var first = call();
        var second = call();
        (await _backend.NextRunAsync()).Succeed([1]);
        return (await first.SoonAsync(), await second.SoonAsync());
    }
}
