using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>Work that asks for its own key, and so waits for itself.</summary>
public sealed class ReentrancyTests
{
    [Fact]
    public async Task Singleflight_throws_at_once_and_names_the_keys()
    {
        var singleflight = new Singleflight();
        var call = singleflight.CallAsync(async _ =>
        {
            await Task.Yield();
            return await singleflight.CallAsync(_ => ValueTask.FromResult(1));
        });

        Assert.Equal([Key, Key], (await call.ThrowsAsync<FlightDeadlockException>()).Keys);
    }

    [Fact]
    public Task HybridCache_waits_for_itself_until_a_token_fires()
    {
        var cache = NewHybridCache();
        return HangsAsync(cache.CallAsync);
    }

    [Fact]
    public Task FusionCache_waits_for_itself_until_a_token_fires()
    {
        var cache = NewFusionCache();
        return HangsAsync(cache.CallAsync);
    }

    [Fact]
    public async Task FusionCache_runs_the_inner_work_when_the_lock_timeout_is_over()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { LockTimeout = TimeSpan.FromMilliseconds(1) };
        var call = cache.CallAsync(async _ => 1 + await cache.CallAsync(_ => ValueTask.FromResult(1), options), options);
        Assert.Equal(2, await call.SoonAsync());
    }

    [Fact]
    public Task LazyTasks_wait_for_themselves_until_a_token_fires()
    {
        var tasks = new LazyTasks<int>();
        return HangsAsync((work, token) => tasks.CallAsync(() => work(default).AsTask(), token));
    }

    [Fact]
    public async Task LazyTasks_throw_if_the_work_asks_for_its_own_key_before_its_first_await()
    {
        var tasks = new LazyTasks<int>();
        var call = Task.Run(() => tasks.CallAsync(() => tasks.CallAsync(() => Task.FromResult(1))));
        await call.ThrowsAsync<InvalidOperationException>();
    }

    /// <summary>The inner call has returned its task, its own work has not started, and the outer work waits for it: only the token can help.</summary>
    private static async Task HangsAsync(Func<Func<CancellationToken, ValueTask<int>>, CancellationToken, Task<int>> call)
    {
        using var escape = new CancellationTokenSource();
        var waiting = new TaskCompletionSource<Task<int>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var innerRuns = 0;
        var outer = call(
            async _ =>
            {
                await Task.Yield();
                var inner = call(_ => ValueTask.FromResult(++innerRuns), escape.Token);
                waiting.SetResult(inner);
                return await inner;
            },
            default);
        var waiter = await waiting.Task.SoonAsync();

        Assert.Equal((0, false, false), (innerRuns, waiter.IsCompleted, outer.IsCompleted));
        await escape.CancelAsync();
        await waiter.LeavesWithAsync(escape.Token);
        await outer.ThrowsAsync<OperationCanceledException>();
        Assert.Equal(0, innerRuns);
    }
}
