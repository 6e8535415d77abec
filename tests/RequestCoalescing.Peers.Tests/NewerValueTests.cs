namespace RequestCoalescing.Peers.Tests;

/// <summary>A newer value is written to the cache while a load that has read the old data is in flight.</summary>
public sealed class NewerValueTests
{
    private const int Old = 1, New = 2;
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task HybridCache_overwrites_the_newer_value_with_the_old_one()
    {
        var cache = NewHybridCache();
        var before = cache.CallAsync(_backend.RunAsync);
        var load = await _backend.NextRunAsync();
        await cache.SetAsync(Key, New);
        Assert.Equal(New, await cache.CallAsync(_backend.RunAsync).SoonAsync());

        load.Succeed(Old);
        await before.SoonAsync();
        Assert.Equal(Old, await cache.CallAsync(_backend.RunAsync).SoonAsync());
    }

    [Fact]
    public async Task FusionCache_overwrites_the_newer_value_with_the_old_one()
    {
        var cache = NewFusionCache();
        var before = cache.CallAsync(_backend.RunAsync);
        var load = await _backend.NextRunAsync();
        await cache.SetAsync(Key, New);
        Assert.Equal(New, await cache.CallAsync(_backend.RunAsync).SoonAsync());

        load.Succeed(Old);
        await before.SoonAsync();
        Assert.Equal(Old, await cache.CallAsync(_backend.RunAsync).SoonAsync());
    }
}
