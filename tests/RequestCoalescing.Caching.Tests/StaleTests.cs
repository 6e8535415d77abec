using System.Diagnostics.Metrics;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Caching;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Caching.Tests;

/// <summary>Expired values are returned while a load is slow or has failed, and never after a removal.</summary>
public sealed class StaleTests : IAsyncDisposable
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private readonly Backend<int> _backend = new();
    private readonly List<ServiceProvider> _providers = [];
    private HybridCache? _inner;

    public static TheoryData<bool> Both => [false, true];

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_load_that_fails_gives_its_callers_the_expired_value(bool overFusion)
    {
        var cache = Build(overFusion);
        using var stale = CollectStale();
        await StoreOldAndExpireAsync(cache);
        var calls = Enumerable.Range(0, 3).Select(_ => CallAsync(cache)).ToArray();
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(Old, value));
        Assert.Equal(3, stale.GetMeasurementSnapshot().Count(measurement => (string?)measurement.Tags["singleflight.reason"] == "failed"));

        var next = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal((New, New), (await next.SoonAsync(), await CallAsync(cache).SoonAsync()));
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_load_that_is_slow_gives_its_callers_the_expired_value_and_goes_on(bool overFusion)
    {
        var cache = Build(overFusion, static options => options.SlowAfter = s_slow);
        using var stale = CollectStale();
        await StoreOldAndExpireAsync(cache);
        using var leaving = new CancellationTokenSource();
        var first = CallAsync(cache, leaving.Token);
        var load = await _backend.NextRunAsync();
        Assert.False(first.IsCompleted);
        _clock.Advance(s_slow);
        Assert.Equal(Old, await first.SoonAsync());
        await leaving.CancelAsync(); // the caller's request has ended; the load goes on

        var second = CallAsync(cache);
        _clock.Advance(s_slow);
        Assert.Equal(Old, await second.SoonAsync());
        Assert.False(load.Token.IsCancellationRequested);
        Assert.Equal(2, stale.GetMeasurementSnapshot().Count(measurement => (string?)measurement.Tags["singleflight.reason"] == "slow"));

        load.Succeed(New);
        Assert.Equal(New, await CallAsync(cache).SoonAsync()); // joins the load, or finds its value
        Assert.Equal(2, _backend.Runs);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_slow_load_without_an_expired_value_is_waited_for(bool overFusion)
    {
        var cache = Build(overFusion, static options => options.SlowAfter = s_slow);
        var call = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        _clock.Advance(2 * s_slow);
        Assert.False(call.IsCompleted);
        load.Succeed(New);
        Assert.Equal(New, await call.SoonAsync());
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task The_only_caller_of_a_slow_load_leaves_and_the_load_is_cancelled(bool overFusion)
    {
        var cache = Build(overFusion, static options => options.SlowAfter = s_slow);
        await StoreOldAndExpireAsync(cache);
        using var leaving = new CancellationTokenSource();
        var call = CallAsync(cache, leaving.Token);
        var load = await _backend.NextRunAsync();
        await leaving.CancelAsync();
        await load.CancelledAsync();
        Assert.Equal(leaving.Token, (await call.ThrowsAsync<OperationCanceledException>()).CancellationToken);
    }

    [Theory]
    [InlineData(false, "key")]
    [InlineData(false, "tag")]
    [InlineData(false, "set")]
    [InlineData(true, "key")]
    [InlineData(true, "tag")]
    [InlineData(true, "set")]
    public async Task After_a_removal_no_caller_gets_the_expired_value(bool overFusion, string removal)
    {
        var cache = Build(overFusion, static options => options.SlowAfter = s_slow);
        await StoreOldAndExpireAsync(cache);
        var during = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        if (removal == "key") await cache.RemoveAsync(Key);
        else if (removal == "tag") await cache.RemoveByTagAsync("posts");
        else await cache.SetAsync(Key, New, tags: ["posts"]);
        _clock.Advance(TimeSpan.FromMilliseconds(1)); // HybridCache takes entries of the same tick for removed
        if (removal == "set") await _inner!.RemoveAsync(Key);

        var after = CallAsync(cache);
        var second = await _backend.NextRunAsync();
        second.Fail(new InvalidDataException());
        if (removal == "set") Assert.Equal(New, await after.SoonAsync());
        else await after.ThrowsAsync<InvalidDataException>();

        load.Fail(new InvalidOperationException());
        if (removal == "set") Assert.Equal(New, await during.SoonAsync());
        else await during.ThrowsAsync<InvalidOperationException>();
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task The_copy_lives_longer_and_is_not_kept_without_the_option(bool overFusion)
    {
        foreach (var keeps in new[] { true, false })
        {
            var cache = Build(overFusion, options => options.StaleFor = keeps ? TimeSpan.FromHours(1) : TimeSpan.Zero);
            await cache.GetOrCreateAsync(Key, static _ => ValueTask.FromResult(Old), new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(2) });
            Assert.Equal(TimeSpan.FromMinutes(keeps ? 62 : 2), ((HookedCache)_inner!).LastOptions!.Expiration);
            await _inner.RemoveAsync(Key);
            var call = CallAsync(cache);
            (await _backend.NextRunAsync()).Fail(new InvalidDataException());
            if (keeps) Assert.Equal(Old, await call.SoonAsync());
            else await call.ThrowsAsync<InvalidDataException>();
        }
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_timeout_and_a_rejection_give_the_expired_value_too(bool overFusion)
    {
        var cache = Build(overFusion, limits: static options => (options.MaxSubscribers, options.MaxDuration) = (1, TimeSpan.FromSeconds(5)));
        await StoreOldAndExpireAsync(cache);
        var hung = CallAsync(cache);
        await _backend.NextRunAsync();
        Assert.Equal(Old, await CallAsync(cache).SoonAsync()); // one subscriber is allowed
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(Old, await hung.SoonAsync());
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_newer_value_that_is_the_default_of_its_type_drops_the_expired_one(bool overFusion)
    {
        var cache = Build(overFusion);
        foreach (var isSet in new[] { false, true })
        {
            await cache.SetAsync(Key, Old);
            await _inner!.RemoveAsync(Key);
            if (isSet) await cache.SetAsync(Key, 0);
            else await cache.GetOrCreateAsync(Key, static _ => ValueTask.FromResult(0));
            await _inner.RemoveAsync(Key);
            var call = CallAsync(cache);
            (await _backend.NextRunAsync()).Fail(new InvalidDataException());
            await call.ThrowsAsync<InvalidDataException>();
        }
    }

    [Theory]
    [MemberData(nameof(Both))]
    public async Task A_look_for_an_expired_value_that_hangs_holds_up_neither_its_load_nor_a_removal(bool overFusion)
    {
        var cache = Build(overFusion, static options => options.SlowAfter = s_slow);
        await StoreOldAndExpireAsync(cache);
        var call = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        var isLooking = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ((HookedCache)_inner!).BeforeLook = () =>
        {
            isLooking.TrySetResult();
            return new TaskCompletionSource().Task;
        };
        _clock.Advance(s_slow);
        await isLooking.Task.SoonAsync();
        load.Succeed(New);
        Assert.Equal(New, await call.SoonAsync());
        ((HookedCache)_inner).BeforeLook = null;
        var removal = cache.RemoveAsync(Key).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(1));
        await removal.SoonAsync();
    }

    [Fact]
    public async Task A_key_of_the_greatest_length_is_cached_without_a_copy()
    {
        var cache = Build(overFusion: false);
        var key = new string('k', 1_024);
        Assert.Equal(Old, await cache.GetOrCreateAsync(key, static _ => ValueTask.FromResult(Old)));
        Assert.Equal(Old, await cache.GetOrCreateAsync(key, static _ => ValueTask.FromResult(New)));
        await cache.RemoveAsync(key);
        Assert.Equal(New, await cache.GetOrCreateAsync(key, static _ => ValueTask.FromResult(New)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
    }

    private Task<int> CallAsync(HybridCache cache, CancellationToken token = default) =>
        cache.GetOrCreateAsync(Key, _backend.RunAsync, tags: ["posts"], cancellationToken: token).AsTask();

    // The entry leaves the inner cache, as if it had expired.
    private async Task StoreOldAndExpireAsync(HybridCache cache)
    {
        var call = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(Old);
        await call.SoonAsync();
        await _inner!.RemoveAsync(Key);
    }

    private MetricCollector<long> CollectStale() => new(_providers[^1].GetRequiredService<IMeterFactory>(), "RequestCoalescing.Caching", "singleflight.cache.stale");

    private HybridCache Build(bool overFusion, Action<CoalescingHybridCacheOptions>? configure = null, Action<SingleflightOptions>? limits = null)
    {
        var bare = new ServiceCollection();
        if (overFusion) bare.AddFusionCache().AsHybridCache();
        else bare.AddHybridCache();
        _inner = new HookedCache(Provide(bare).GetRequiredService<HybridCache>());

        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMetrics();
        services.AddSingleton<TimeProvider>(_clock);
        services.AddSingleton(_inner);
        services.AddSingleflight("cache", options =>
        {
            options.TimeProvider = _clock;
            limits?.Invoke(options);
        }).CoalesceHybridCache(options =>
        {
            options.StaleFor = TimeSpan.FromHours(1);
            configure?.Invoke(options);
        });
        return Provide(services).GetRequiredService<HybridCache>();
    }

    private ServiceProvider Provide(ServiceCollection services)
    {
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return provider;
    }
}
