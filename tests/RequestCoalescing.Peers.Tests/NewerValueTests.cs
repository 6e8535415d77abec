namespace RequestCoalescing.Peers.Tests;

/// <summary>A newer value is written to the cache while a load that has read the old data is in flight.</summary>
public sealed class NewerValueTests
{
    private const int Old = 1, New = 2;
    private readonly Backend<int> _backend = new();

    [Fact]
    public Task HybridCache_overwrites_the_newer_value_with_the_old_one()
    {
        var cache = NewHybridCache();
        return TheOldValueWinsAsync(() => cache.CallAsync(_backend.RunAsync), () => cache.SetAsync(Key, New));
    }

    [Fact]
    public Task FusionCache_overwrites_the_newer_value_with_the_old_one()
    {
        var cache = NewFusionCache();
        return TheOldValueWinsAsync(() => cache.CallAsync(_backend.RunAsync), () => cache.SetAsync(Key, New));
    }

    private async Task TheOldValueWinsAsync(Func<Task<int>> call, Func<ValueTask> setNew)
    {
        var before = call();
        var load = await _backend.NextRunAsync();
        await setNew();
        Assert.Equal(New, await call().SoonAsync());

        load.Succeed(Old);
        await before.SoonAsync();
        Assert.Equal(Old, await call().SoonAsync());
    }
}
