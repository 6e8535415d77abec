namespace RequestCoalescing.Peers.Tests;

/// <summary>The data changes while a load that has read the old data is in flight, and its tag is removed. A caller comes after that.</summary>
public sealed class RemovalByTagTests
{
    private const int Old = 1, New = 2;
    private const string Tag = "posts";
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Singleflight_has_no_tags_and_starts_new_runs_for_all_keys_after_Clear()
    {
        var singleflight = new Singleflight();
        var before = singleflight.CallAsync(_backend.RunAsync);
        var load = await _backend.NextRunAsync();
        singleflight.Clear();

        Assert.Equal(New, await singleflight.CallAsync(_ => ValueTask.FromResult(New)).SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
    }

    [Fact]
    public async Task HybridCache_gives_a_caller_after_RemoveByTagAsync_the_old_value_and_stores_it()
    {
        var cache = NewHybridCache();
        var before = cache.CallAsync(_backend.RunAsync, Tag);
        var load = await _backend.NextRunAsync();
        await cache.RemoveByTagAsync(Tag);

        var after = cache.CallAsync(_ => ValueTask.FromResult(New), Tag);
        load.Succeed(Old);
        Assert.Equal((IEnumerable<int>)[Old, Old], await Task.WhenAll(before, after).SoonAsync());
        Assert.Equal(Old, await cache.CallAsync(_ => ValueTask.FromResult(New), Tag).SoonAsync());
    }

    [Fact]
    public async Task FusionCache_loads_anew_for_a_caller_after_RemoveByTagAsync_once_the_old_load_has_ended()
    {
        var cache = NewFusionCache();
        var before = cache.CallAsync(_backend.RunAsync, Tag);
        var load = await _backend.NextRunAsync();
        await cache.RemoveByTagAsync(Tag);

        var after = cache.CallAsync(_ => ValueTask.FromResult(New), Tag);
        Assert.False(after.IsCompleted); // it waits for the old load, and does not take its value
        load.Succeed(Old);
        Assert.Equal((IEnumerable<int>)[Old, New], await Task.WhenAll(before, after).SoonAsync());
        Assert.Equal(New, await cache.CallAsync(_ => ValueTask.FromResult(3), Tag).SoonAsync());
    }
}
