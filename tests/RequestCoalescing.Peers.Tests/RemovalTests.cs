namespace RequestCoalescing.Peers.Tests;

/// <summary>The data changes while a load that has read the old data is in flight, and the key is removed. A caller comes after that.</summary>
public sealed class RemovalTests
{
    private const int Old = 1, New = 2;
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Singleflight_starts_a_new_run_for_a_caller_after_Forget_and_the_old_run_can_tell()
    {
        var singleflight = new Singleflight();
        var before = singleflight.ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var load = await _backend.NextRunAsync();
        Assert.True(singleflight.Forget(Key));

        Assert.False(load.Flight.IsCurrent);
        Assert.Equal(New, await singleflight.CallAsync(_ => ValueTask.FromResult(New)).SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
    }

    [Fact]
    public Task HybridCache_gives_a_caller_after_RemoveAsync_the_old_value_and_stores_it()
    {
        var cache = NewHybridCache();
        return TheOldValueStaysAsync(cache.CallAsync, () => cache.RemoveAsync(Key));
    }

    [Theory]
    [InlineData("RemoveAsync")]
    [InlineData("ExpireAsync")]
    public Task FusionCache_gives_a_caller_after_a_removal_the_old_value_and_stores_it(string how)
    {
        var cache = NewFusionCache();
        return TheOldValueStaysAsync(cache.CallAsync, () => how == "RemoveAsync" ? cache.RemoveAsync(Key) : cache.ExpireAsync(Key));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LazyTasks_start_a_new_run_for_a_caller_after_TryRemove(bool removes)
    {
        var tasks = new LazyTasks<int>(removes);
        var before = tasks.CallAsync(_backend);
        var load = await _backend.NextRunAsync();
        Assert.True(tasks.Remove());

        Assert.Equal(New, await tasks.CallAsync(() => Task.FromResult(New)).SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
    }

    [Fact]
    public async Task LazyTasks_that_remove_by_key_lose_the_newer_run_when_the_old_one_ends()
    {
        var tasks = new LazyTasks<int>();
        var before = tasks.CallAsync(_backend);
        var load = await _backend.NextRunAsync();
        Assert.True(tasks.Remove());
        var after = tasks.CallAsync(_backend);
        var newer = await _backend.NextRunAsync();

        load.Succeed(Old);
        await before.SoonAsync();
        Assert.Equal(3, await tasks.CallAsync(() => Task.FromResult(3)).SoonAsync()); // a third run, while the second is in flight
        newer.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
    }

    private async Task TheOldValueStaysAsync(Func<Func<CancellationToken, ValueTask<int>>, CancellationToken, Task<int>> call, Func<ValueTask> remove)
    {
        var before = call(_backend.RunAsync, default);
        var load = await _backend.NextRunAsync();
        await remove();

        var after = call(_ => ValueTask.FromResult(New), default);
        load.Succeed(Old);
        Assert.Equal((IEnumerable<int>)[Old, Old], await Task.WhenAll(before, after).SoonAsync());
        Assert.Equal(Old, await call(_ => ValueTask.FromResult(New), default).SoonAsync());
    }
}
