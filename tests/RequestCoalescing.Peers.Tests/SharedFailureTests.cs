using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>The work fails while several callers wait.</summary>
public sealed class SharedFailureTests
{
    private readonly Backend<int> _backend = new();
    private readonly InvalidDataException _error = new("The backend failed.");

    [Fact]
    public Task Singleflight_gives_all_callers_one_error_from_one_backend_call()
    {
        var singleflight = new Singleflight();
        return OneErrorForAllAsync(() => singleflight.CallAsync(_backend.RunAsync));
    }

    [Fact]
    public Task HybridCache_gives_all_callers_one_error_from_one_backend_call()
    {
        var cache = NewHybridCache();
        return OneErrorForAllAsync(() => cache.CallAsync(_backend.RunAsync));
    }

    [Fact]
    public async Task FusionCache_lets_each_waiter_call_the_failed_backend_again_in_turn()
    {
        var cache = NewFusionCache();
        var callers = Enumerable.Range(0, 5).Select(_ => cache.CallAsync(_backend.RunAsync)).ToArray();

        for (var turn = 1; turn <= callers.Length; turn++)
        {
            var run = await _backend.NextRunAsync();
            Assert.Equal(turn, _backend.Runs);
            Assert.Equal(turn - 1, callers.Count(caller => caller.IsFaulted));
            run.Fail(_error);
            await Patience.UntilAsync(() => callers.Count(caller => caller.IsFaulted) == turn, "one more caller has its error");
        }

        Assert.Equal(5, _backend.Runs);
    }

    [Fact]
    public async Task FusionCache_with_fail_safe_answers_all_callers_with_the_expired_value_after_one_failure()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { IsFailSafeEnabled = true };
        await cache.CallAsync(_ => ValueTask.FromResult(1), options).SoonAsync();
        await cache.ExpireAsync(Key, options);
        var callers = Enumerable.Range(0, 5).Select(_ => cache.CallAsync(_backend.RunAsync, options)).ToArray();
        (await _backend.NextRunAsync()).Fail(_error);

        Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Equal(1, got));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public Task LazyTasks_give_all_callers_one_error_from_one_backend_call()
    {
        var tasks = new LazyTasks<int>();
        return OneErrorForAllAsync(() => tasks.CallAsync(_backend));
    }

    private async Task OneErrorForAllAsync(Func<Task<int>> call)
    {
        var callers = Enumerable.Range(0, 5).Select(_ => call()).ToArray();
        (await _backend.NextRunAsync()).Fail(_error);

        foreach (var caller in callers) Assert.Same(_error, await caller.ThrowsAsync<InvalidDataException>());
        Assert.Equal(1, _backend.Runs);
    }
}
