using CsCheck;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Shared;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace RequestCoalescing.Caching.Tests;

/// <summary>Plays random histories of readers, loads and removals on a coalesced cache, and on its bare inner cache. A failing history is shrunk.</summary>
public abstract class CacheHistoryTests
{
    private static readonly Gen<int> s_key = Gen.Int[0, CacheHistory.Keys - 1];

    private static readonly Gen<HoldPoint> s_hold = Gen.Enum<HoldPoint>();

    private static readonly Gen<CacheStep> s_step = Gen.Frequency(
        (8, s_key.Select(key => new CacheStep(CacheStepKind.Get, key))),
        (1, s_key.Select(key => new CacheStep(CacheStepKind.Reload, key))),
        (1, s_key.Select(key => new CacheStep(CacheStepKind.Set, key))),
        (3, Gen.Select(s_key, s_hold, (key, hold) => new CacheStep(CacheStepKind.Remove, key, hold))),
        (2, Gen.Select(Gen.Int[0, CacheHistory.Tags - 1], s_hold, (tag, hold) => new CacheStep(CacheStepKind.RemoveByTag, tag, hold))),
        (1, s_hold.Select(hold => new CacheStep(CacheStepKind.RemoveAll, 0, hold))),
        (1, Gen.Const(new CacheStep(CacheStepKind.Expire))),
        (5, Gen.Select(Gen.Int[0, 5], s_hold, (load, hold) => new CacheStep(CacheStepKind.Succeed, load, hold))),
        (1, Gen.Int[0, 5].Select(load => new CacheStep(CacheStepKind.Fail, load))),
        (1, Gen.Int[0, 9].Select(caller => new CacheStep(CacheStepKind.Cancel, caller))),
        (3, Gen.Select(Gen.Int[0, 3], s_hold, (held, hold) => new CacheStep(CacheStepKind.Proceed, held, hold))));

    private static readonly Gen<CacheStep[]> s_steps = s_step.Array[1, 40];

    /// <summary>Registers the inner cache.</summary>
    protected abstract void AddInner(IServiceCollection services, IMemoryCache firstLevel, IDistributedCache? secondLevel);

    /// <summary>Lets the entries of the first level expire.</summary>
    protected abstract void Expire(MemoryCache firstLevel, FakeTimeProvider clock);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_reader_that_comes_after_a_removal_sees_what_was_loaded_before_it(bool hasSecondLevel)
    {
        var shared = 0;
        await s_steps.SampleAsync(async steps => Interlocked.Add(ref shared, await PlayAsync(steps, hasSecondLevel, isBare: false)), iter: 300);
        Assert.True(shared > 0, "No reader shared a value.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_histories_find_such_a_reader_on_the_bare_cache(bool hasSecondLevel)
    {
        var found = await Assert.ThrowsAsync<CsCheckException>(() => s_steps.SampleAsync(steps => PlayAsync(steps, hasSecondLevel, isBare: true), iter: 100));
        Assert.Contains("A reader saw version", found.ToString(), StringComparison.Ordinal);
    }

    private async Task<int> PlayAsync(CacheStep[] steps, bool hasSecondLevel, bool isBare)
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var firstLevel = new MemoryCache(new MemoryCacheOptions { Clock = new CacheClock(clock) });
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(clock);
        AddInner(services, firstLevel, hasSecondLevel ? new SecondLevel() : null);
        await using var bare = services.BuildServiceProvider();
        var inner = new HookedCache(bare.GetRequiredService<HybridCache>());

        services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<TimeProvider>(clock);
        services.AddSingleton<HybridCache>(inner);
        services.AddSingleflight("cache", options => (options.TimeProvider, options.MaxDuration) = (clock, TimeSpan.FromHours(1))).CoalesceHybridCache(); // longer than a history
        await using var coalesced = services.BuildServiceProvider();

        var history = isBare
            ? new CacheHistory(inner, null, null, clock, ExpireAll)
            : new CacheHistory(coalesced.GetRequiredService<HybridCache>(), inner, coalesced.GetRequiredKeyedService<ISingleflight>("cache"), clock, ExpireAll);
        await history.PlayAsync(steps);
        return history.Shared;

        void ExpireAll() => Expire(firstLevel, clock);
    }
}

public sealed class HybridCacheHistoryTests : CacheHistoryTests
{
    protected override void AddInner(IServiceCollection services, IMemoryCache firstLevel, IDistributedCache? secondLevel)
    {
        services.AddSingleton(firstLevel);
        if (secondLevel is not null) services.AddSingleton(secondLevel);
        services.AddHybridCache();
    }

    protected override void Expire(MemoryCache firstLevel, FakeTimeProvider clock) => clock.Advance(CacheHistory.FirstLevelExpiration);
}

public sealed class FusionCacheHistoryTests : CacheHistoryTests
{
    protected override void AddInner(IServiceCollection services, IMemoryCache firstLevel, IDistributedCache? secondLevel)
    {
        var fusion = services.AddFusionCache().WithMemoryCache(firstLevel);
        if (secondLevel is not null) fusion.WithDistributedCache(secondLevel).WithSerializer(new FusionCacheSystemTextJsonSerializer());
        fusion.AsHybridCache();
    }

    // FusionCache knows no clock but the machine's.
    protected override void Expire(MemoryCache firstLevel, FakeTimeProvider clock) => firstLevel.Clear();
}
