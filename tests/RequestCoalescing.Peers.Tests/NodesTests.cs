using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace RequestCoalescing.Peers.Tests;

/// <summary>Two nodes ask for the same key at the same time. The caches have a distributed cache in common.</summary>
public sealed class NodesTests
{
    private readonly Backend<int> _backend = new();
    private readonly IDistributedCache _shared = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
    private readonly SharedLocker _locker = new();

    [Fact]
    public Task Singleflight_without_its_Redis_package_runs_the_work_once_on_each_node() =>
        EachNodeRunsAsync(new Singleflight().CallAsync, new Singleflight().CallAsync);

    [Fact]
    public Task HybridCache_runs_the_work_once_on_each_node() =>
        EachNodeRunsAsync(NewHybridCache(_shared).CallAsync, NewHybridCache(_shared).CallAsync);

    [Fact]
    public Task FusionCache_without_a_distributed_locker_runs_the_work_once_on_each_node() =>
        EachNodeRunsAsync(NewNode(locked: false).CallAsync, NewNode(locked: false).CallAsync);

    [Fact]
    public async Task FusionCache_with_a_distributed_locker_runs_the_work_once_for_both_nodes()
    {
        var (first, run, second) = await TwoNodesWithALockAsync();
        run.Succeed(1);

        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(first, second).SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task FusionCache_with_a_distributed_locker_calls_the_failed_backend_again_on_the_next_node()
    {
        var (first, run, second) = await TwoNodesWithALockAsync();
        run.Fail(new InvalidDataException());
        await first.ThrowsAsync<InvalidDataException>();

        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await second.SoonAsync());
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public Task LazyTasks_run_the_work_once_on_each_node()
    {
        LazyTasks<int> first = new(), second = new();
        return EachNodeRunsAsync((_, token) => first.CallAsync(_backend, token), (_, token) => second.CallAsync(_backend, token));
    }

    private FusionCache NewNode(bool locked)
    {
        var cache = NewFusionCache();
        cache.SetupSerializer(new FusionCacheSystemTextJsonSerializer());
        cache.SetupDistributedCache(_shared);
        if (locked) cache.SetupDistributedLocker(_locker);
        return cache;
    }

    private async Task<(Task<int> First, BackendRun<int> Run, Task<int> Second)> TwoNodesWithALockAsync()
    {
        var first = NewNode(locked: true).CallAsync(_backend.RunAsync);
        var run = await _backend.NextRunAsync();
        var second = NewNode(locked: true).CallAsync(_backend.RunAsync);
        await Patience.UntilAsync(() => _locker.Asked == 2, "the second node has asked for the lock");
        return (first, run, second);
    }

    private async Task EachNodeRunsAsync(params Func<Func<CancellationToken, ValueTask<int>>, CancellationToken, Task<int>>[] nodes)
    {
        var callers = nodes.Select(node => node(_backend.RunAsync, default)).ToArray();
        BackendRun<int>[] runs = [await _backend.NextRunAsync(), await _backend.NextRunAsync()]; // both at once
        foreach (var run in runs) run.Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
    }
}
