namespace RequestCoalescing.Peers.Tests;

/// <summary>Callers that ask at the same time.</summary>
public sealed class ConcurrentCallersTests
{
    [Fact]
    public Task Singleflight_makes_one_backend_call_for_all_concurrent_callers()
    {
        var singleflight = new Singleflight();
        return OneCallServesAllAsync(backend => singleflight.CallAsync(backend.RunAsync));
    }

    [Fact]
    public Task HybridCache_makes_one_backend_call_for_all_concurrent_callers()
    {
        var cache = NewHybridCache();
        return OneCallServesAllAsync(backend => cache.CallAsync(backend.RunAsync));
    }

    [Fact]
    public Task FusionCache_makes_one_backend_call_for_all_concurrent_callers()
    {
        var cache = NewFusionCache();
        return OneCallServesAllAsync(backend => cache.CallAsync(backend.RunAsync));
    }

    [Fact]
    public Task LazyTasks_make_one_backend_call_for_all_concurrent_callers()
    {
        var tasks = new LazyTasks<int>();
        return OneCallServesAllAsync(backend => tasks.CallAsync(backend));
    }

    private static async Task OneCallServesAllAsync(Func<Backend<int>, Task<int>> call)
    {
        var backend = new Backend<int>();
        var callers = new Task<int>[8];
        Crowd.Run(callers.Length, index => callers[index] = call(backend));
        (await backend.NextRunAsync()).Succeed(7);

        Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Equal(7, got));
        Assert.Equal(1, backend.Runs);
    }
}
