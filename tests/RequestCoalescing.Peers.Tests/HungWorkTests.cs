using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Time.Testing;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>Work that does not end and ignores its token.</summary>
public sealed class HungWorkTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Singleflight_gives_all_callers_a_timeout_frees_the_key_and_counts_the_hung_work()
    {
        var clock = new FakeTimeProvider();
        var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        var callers = Enumerable.Range(0, 3).Select(_ => singleflight.CallAsync(_backend.RunStubbornAsync)).ToArray();
        var hung = await _backend.NextRunAsync();

        clock.Advance(TimeSpan.FromSeconds(30)); // the default of MaxDuration
        foreach (var caller in callers) await caller.ThrowsAsync<FlightTimeoutException>();

        Assert.Equal(1, singleflight.GetStats().AbandonedCount);
        Assert.Equal(2, await singleflight.CallAsync(_ => ValueTask.FromResult(2)).SoonAsync());
        hung.Succeed(1);
    }

    [Fact]
    public async Task HybridCache_lets_every_later_caller_join_the_hung_load()
    {
        var cache = NewHybridCache();
        var leader = cache.CallAsync(_backend.RunStubbornAsync);
        var hung = await _backend.NextRunAsync();
        using var patience = new CancellationTokenSource();
        var impatient = cache.CallAsync(_backend.RunStubbornAsync, patience.Token);
        await patience.CancelAsync();
        await impatient.LeavesWithAsync(patience.Token); // a caller can bound its own wait

        var later = cache.CallAsync(_backend.RunStubbornAsync);
        Assert.Equal(1, _backend.Runs);
        Assert.False(leader.IsCompleted || later.IsCompleted);
        hung.Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(leader, later).SoonAsync());
    }

    [Fact]
    public void HybridCache_has_no_setting_that_bounds_a_load()
    {
        var durations = new[] { typeof(HybridCacheOptions), typeof(HybridCacheEntryOptions) }
            .SelectMany(type => type.GetProperties())
            .Where(property => property.PropertyType == typeof(TimeSpan) || property.PropertyType == typeof(TimeSpan?))
            .Select(property => property.Name);
        Assert.Equal([nameof(HybridCacheEntryOptions.Expiration), nameof(HybridCacheEntryOptions.LocalCacheExpiration)], durations.Order());
    }

    [Fact]
    public async Task FusionCache_with_a_hard_timeout_frees_the_leader_but_its_waiters_stay_until_the_hung_work_ends()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { FactoryHardTimeout = TimeSpan.FromMilliseconds(1) };
        var leader = cache.CallAsync(_backend.RunStubbornAsync, options);
        var hung = await _backend.NextRunAsync();
        await leader.ThrowsAsync<SyntheticTimeoutException>();

        // The timed-out work goes on in the background, and keeps the lock of the key meanwhile.
        var later = cache.CallAsync(_backend.RunStubbornAsync, options);
        var other = new Backend<int>();
        var ofOtherKey = cache.GetOrSetAsync<int>("another key", (_, token) => other.RunStubbornAsync(token).AsTask(), default, options).AsTask();
        await ofOtherKey.ThrowsAsync<SyntheticTimeoutException>(); // this call began later, and has had its timeout
        Assert.False(later.IsCompleted);
        Assert.Equal(1, _backend.Runs);
        hung.Succeed(1);
        (await other.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await later.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task FusionCache_without_background_completion_sends_each_waiter_to_the_hung_backend_in_turn()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions
        {
            FactoryHardTimeout = TimeSpan.FromMilliseconds(1),
            AllowTimedOutFactoryBackgroundCompletion = false,
        };
        var callers = Enumerable.Range(0, 3).Select(_ => cache.CallAsync(_backend.RunStubbornAsync, options)).ToArray();
        foreach (var caller in callers) await caller.ThrowsAsync<SyntheticTimeoutException>();

        Assert.Equal(3, _backend.Runs); // none of which has ended
        for (var run = 0; run < 3; run++) (await _backend.NextRunAsync()).Succeed(run);
    }

    [Fact]
    public async Task FusionCache_with_fail_safe_and_a_soft_timeout_answers_with_the_expired_value()
    {
        var cache = NewFusionCache();
        var options = new FusionCacheEntryOptions { IsFailSafeEnabled = true, FactorySoftTimeout = TimeSpan.FromMilliseconds(1) };
        await cache.CallAsync(_ => ValueTask.FromResult(1), options).SoonAsync();
        await cache.ExpireAsync(Key, options);

        Assert.Equal(1, await cache.CallAsync(_backend.RunStubbornAsync, options).SoonAsync());
        (await _backend.NextRunAsync()).Succeed(2);
    }

    [Fact]
    public async Task LazyTasks_let_every_later_caller_join_the_hung_run()
    {
        var tasks = new LazyTasks<int>();
        var leader = tasks.CallAsync(_backend);
        var hung = await _backend.NextRunAsync();
        var later = tasks.CallAsync(_backend);

        Assert.Equal(1, _backend.Runs);
        Assert.False(leader.IsCompleted || later.IsCompleted);
        hung.Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(leader, later).SoonAsync());
    }
}
