using System.Diagnostics.Metrics;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Caching.Tests;

/// <summary>The behaviour of a coalesced cache, over each inner cache.</summary>
public abstract class CoalescedCacheTests : IAsyncDisposable
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    private readonly Backend<int> _backend = new();
    private readonly List<ServiceProvider> _providers = [];

    protected FakeTimeProvider Clock { get; } = new(DateTimeOffset.UtcNow);

    /// <summary>Registers the inner cache.</summary>
    protected abstract void AddInner(IServiceCollection services);

    [Fact]
    public async Task Callers_of_a_miss_share_one_load_and_later_ones_hit_the_cache_without_a_flight()
    {
        var (cache, flights) = Build();
        var calls = Enumerable.Range(0, 5).Select(_ => CallAsync(cache)).ToArray();
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));

        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        Assert.Equal((1, 1L), (_backend.Runs, flights.GetStats().Flights));
    }

    [Fact]
    public async Task The_bare_cache_stores_what_was_loaded_before_the_removal()
    {
        var cache = BuildBare();
        var before = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        await cache.RemoveAsync(Key);
        load.Succeed(Old);
        await before.SoonAsync();
        Assert.Equal(Old, await CallAsync(cache).SoonAsync());
    }

    [Theory]
    [InlineData("key")]
    [InlineData("keys")]
    [InlineData("tag")]
    [InlineData("tag of a follower")]
    [InlineData("all tags")]
    public async Task A_load_that_began_before_a_removal_is_neither_stored_nor_joined(string removal)
    {
        var (cache, _) = Build();
        var before = CallAsync(cache, tag: removal == "tag" ? "posts" : null);
        var load = await _backend.NextRunAsync();
        var follower = CallAsync(cache, tag: removal == "tag of a follower" ? "posts" : null);
        if (removal == "key") await cache.RemoveAsync(Key);
        else if (removal == "keys") await cache.RemoveAsync(["other", Key]);
        else await cache.RemoveByTagAsync(removal == "all tags" ? "*" : "posts");
        Clock.Advance(TimeSpan.FromMilliseconds(1)); // HybridCache takes entries of the same tick for removed

        var after = CallAsync(cache);
        var second = await _backend.NextRunAsync();
        load.Succeed(Old);
        Assert.Equal((IEnumerable<int>)[Old, Old], await Task.WhenAll(before, follower).SoonAsync());
        Assert.False(after.IsCompleted);
        second.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_value_that_is_set_during_a_load_stays()
    {
        var (cache, _) = Build();
        var before = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        await cache.SetAsync(Key, New);
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_removal_waits_for_a_load_that_is_just_storing(bool byTag)
    {
        var stores = new TaskCompletionSource();
        var mayStore = new TaskCompletionSource();
        var (cache, _) = Build(hook: hooked => hooked.BeforeStore = () =>
        {
            stores.SetResult();
            return mayStore.Task;
        });
        var before = CallAsync(cache, tag: "posts");
        (await _backend.NextRunAsync()).Succeed(Old);
        await stores.Task.SoonAsync();
        var removal = (byTag ? cache.RemoveByTagAsync("posts") : cache.RemoveAsync(Key)).AsTask();
        Assert.False(removal.IsCompleted);
        mayStore.SetResult();
        await removal.SoonAsync();
        Assert.Equal(Old, await before.SoonAsync());

        var after = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
    }

    [Fact]
    public async Task Work_that_removes_its_own_key_is_not_stored()
    {
        var (cache, _) = Build();
        Assert.Equal(Old, await cache.GetOrCreateAsync(Key, async _ =>
        {
            await cache.RemoveAsync(Key);
            return Old;
        }));
        var after = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
    }

    [Fact]
    public async Task A_null_result_is_loaded_once()
    {
        var (cache, _) = Build();
        var loads = 0;
        for (var i = 0; i < 3; i++) Assert.Null(await cache.GetOrCreateAsync(Key, _ => new ValueTask<string?>(Load())));
        Assert.Equal(1, loads);

        string? Load()
        {
            loads++;
            return null;
        }
    }

    [Fact]
    public async Task A_result_that_is_the_default_of_its_type_is_loaded_once()
    {
        var (cache, _) = Build();
        var loads = 0;
        for (var i = 0; i < 3; i++) Assert.Equal(0, await cache.GetOrCreateAsync(Key, _ => new ValueTask<int>(loads++)));
        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task A_caller_leaves_and_the_others_get_the_result_of_the_same_load()
    {
        var (cache, _) = Build();
        using var leaves = new CancellationTokenSource();
        var leader = CallAsync(cache, token: leaves.Token);
        var run = await _backend.NextRunAsync();
        var follower = CallAsync(cache);
        await leaves.CancelAsync();
        await leader.LeavesWithAsync(leaves.Token);
        run.Succeed(New);
        Assert.Equal(New, await follower.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_load_that_hangs_ends_with_a_timeout_and_the_next_call_loads_anew()
    {
        var (cache, _) = Build();
        var hung = cache.GetOrCreateAsync(Key, _backend.RunStubbornAsync).AsTask();
        var run = await _backend.NextRunAsync();
        Clock.Advance(TimeSpan.FromMinutes(2));
        await hung.ThrowsAsync<FlightTimeoutException>();
        var next = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await next.SoonAsync());
        run.Succeed(Old);
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Fact]
    public async Task Flags_of_a_call_pass_through()
    {
        var (cache, _) = Build();
        Assert.Equal(0, await CallAsync(cache, HybridCacheEntryFlags.DisableUnderlyingData).SoonAsync());
        Assert.Equal(0, _backend.Runs);

        const HybridCacheEntryFlags NoWrites = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCacheWrite;
        foreach (var flags in new[] { NoWrites, HybridCacheEntryFlags.None })
        {
            var call = CallAsync(cache, flags);
            (await _backend.NextRunAsync()).Succeed(Old);
            Assert.Equal(Old, await call.SoonAsync());
        }

        Assert.Equal(Old, await CallAsync(cache).SoonAsync());
        var past = CallAsync(cache, HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await past.SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Fact]
    public async Task Calls_that_the_rollout_leaves_alone_are_cached_all_the_same()
    {
        var (cache, flights) = Build(settings: ("Singleflight:cache:Rollout:Enabled", "false"));
        var call = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await call.SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        Assert.Equal(1, flights.GetStats().Alone);
    }

    [Fact]
    public async Task A_failed_load_is_remembered_for_a_while()
    {
        var (cache, _) = Build(options =>
        {
            options.FailureDuration = TimeSpan.FromSeconds(10);
            options.Jitter = 0;
            options.RemembersFailure = static error => error is InvalidDataException;
        });
        foreach (var remembered in new[] { true, false })
        {
            var call = CallAsync(cache);
            (await _backend.NextRunAsync()).Fail(remembered ? new InvalidDataException("gone") : new InvalidOperationException());
            await Assert.ThrowsAnyAsync<Exception>(() => call.SoonAsync());
            if (!remembered) continue;
            for (var i = 0; i < 3; i++) Assert.Equal("gone", (await CallAsync(cache).ThrowsAsync<InvalidDataException>()).Message);
            Clock.Advance(TimeSpan.FromSeconds(11));
        }

        var next = CallAsync(cache);
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        await next.ThrowsAsync<InvalidDataException>();
        await cache.RemoveAsync(Key); // drops the remembered failure
        var last = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await last.SoonAsync());
    }

    [Fact]
    public async Task A_result_that_means_not_found_is_stored_for_a_shorter_time()
    {
        HookedCache? inner = null;
        var (cache, _) = Build(options =>
        {
            options.NotFoundDuration = TimeSpan.FromSeconds(10);
            options.IsNotFound = static value => value is 404;
        }, hooked => inner = hooked);
        var longer = new HybridCacheEntryOptions { Expiration = TimeSpan.FromHours(1) };
        await cache.GetOrCreateAsync("found", _ => ValueTask.FromResult(200), longer);
        Assert.Equal(TimeSpan.FromHours(1), inner!.LastOptions!.Expiration);
        await cache.GetOrCreateAsync("missing", _ => ValueTask.FromResult(404), longer);
        Assert.InRange(inner.LastOptions!.Expiration!.Value, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(11));
    }

    [Fact]
    public async Task A_result_is_copied_for_each_caller_of_a_load()
    {
        var (cache, _) = Build(static options => options.CloneResult = static value => ((int[])value).ToArray());
        var work = new TaskCompletionSource<int[]>();
        var calls = Enumerable.Range(0, 3).Select(_ => cache.GetOrCreateAsync(Key, async _ => await work.Task).AsTask()).ToArray();
        work.SetResult([1]);
        var results = await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(3, results.Distinct(ReferenceEqualityComparer.Instance).Count());
    }

    [Fact]
    public async Task A_hit_allocates_no_more_than_that_of_the_bare_cache()
    {
        var (cache, _) = Build();
        var bare = BuildBare();
        var work = new Func<CancellationToken, ValueTask<string>>(static _ => ValueTask.FromResult("value"));
        var options = new HybridCacheEntryOptions { Expiration = TimeSpan.FromHours(1) };
        await cache.GetOrCreateAsync(Key, work, options);
        await bare.GetOrCreateAsync(Key, work, options);
        for (var i = 0; i < 100; i++) (Measure(cache), Measure(bare)).ToString();
        Assert.InRange(Measure(cache), 0, Measure(bare));

        long Measure(HybridCache measured)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++) Assert.True(measured.GetOrCreateAsync(Key, work, options).IsCompletedSuccessfully);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public async Task No_reader_that_comes_after_a_removal_sees_what_was_loaded_before_it()
    {
        const int Keys = 3;
        const int Rounds = 400;
        var (cache, _) = Build();
        var database = new int[Keys]; // the newest version of each row
        var removed = new int[Keys]; // the version that the last completed removal followed
        var seen = 0;
        Crowd.Run(4, thread =>
        {
            var random = new Random(thread);
            for (var round = 0; round < Rounds; round++)
            {
                var key = random.Next(Keys);
                if (thread > 0) ReadAsync(key, random).AsTask().SoonAsync().GetAwaiter().GetResult();
                else WriteAsync(key, random).SoonAsync().GetAwaiter().GetResult();
            }
        });
        Assert.True(seen > Rounds);

        async Task WriteAsync(int key, Random random)
        {
            var version = Interlocked.Increment(ref database[key]);
            if (random.Next(3) == 0) await cache.RemoveByTagAsync($"tag{key}");
            else if (random.Next(3) == 0) await cache.SetAsync($"row{key}", version, tags: [$"tag{key}"]);
            else await cache.RemoveAsync($"row{key}");
            Volatile.Write(ref removed[key], version);
            Clock.Advance(TimeSpan.FromTicks(10));
            await Task.Yield();
        }

        async ValueTask ReadAsync(int key, Random random)
        {
            var (kind, least) = (random.Next(10), Volatile.Read(ref removed[key]));
            using var leaves = new CancellationTokenSource();
            var read = cache.GetOrCreateAsync(
                $"row{key}",
                async _ =>
                {
                    var version = Volatile.Read(ref database[key]);
                    await Task.Yield();
                    return kind == 0 ? throw new InvalidDataException() : version;
                },
                tags: [$"tag{key}"],
                cancellationToken: leaves.Token);
            if (kind == 1) await leaves.CancelAsync();
            try
            {
                var version = await read;
                Assert.True(version >= least, $"A reader saw version {version}, after the removal that followed version {least}.");
                Interlocked.Increment(ref seen);
            }
            catch (InvalidDataException)
            {
            }
            catch (OperationCanceledException) when (leaves.IsCancellationRequested)
            {
            }
        }
    }

    [Fact]
    public async Task Hits_refresh_before_the_expiry_as_often_as_the_paper_says()
    {
        // A load takes 10 seconds, β is 1, and there is a hit every second. So a hit refreshes with probability exp(-(seconds to the expiry) / 10).
        const int Keys = 1_500;
        const int Lifetime = 100;
        var (cache, _) = Build(static options => options.EarlyRefresh = 1);
        using var refreshes = new MetricCollector<long>(_providers[^1].GetRequiredService<IMeterFactory>(), "RequestCoalescing.Caching", "singleflight.cache.early_refreshes");
        var options = new HybridCacheEntryOptions { Expiration = TimeSpan.FromSeconds(Lifetime) };
        var leads = new List<double>();
        for (var key = 0; key < Keys; key++)
        {
            var isFirst = true;
            ValueTask<int> LoadAsync(CancellationToken token)
            {
                if (isFirst) Clock.Advance(TimeSpan.FromSeconds(10));
                isFirst = false;
                return ValueTask.FromResult(1);
            }

            await cache.GetOrCreateAsync($"row{key}", LoadAsync, options);
            for (var second = 1; second < Lifetime; second++)
            {
                Clock.Advance(TimeSpan.FromSeconds(1));
                await cache.GetOrCreateAsync($"row{key}", LoadAsync, options);
                if (refreshes.GetMeasurementSnapshot(clear: true).Count == 0) continue;
                leads.Add(Lifetime - second);
                break;
            }
        }

        var (mean, square, none) = (0.0, 0.0, 1.0);
        for (var second = 1; second < Lifetime; second++)
        {
            var now = none * Math.Exp(-(Lifetime - second) / 10.0);
            none -= now;
            mean += now * (Lifetime - second);
            square += now * (Lifetime - second) * (Lifetime - second);
        }

        (mean, square) = (mean / (1 - none), square / (1 - none));
        var deviation = Math.Sqrt((square - (mean * mean)) / leads.Count);
        Assert.InRange(leads.Average(), mean - (5 * deviation), mean + (5 * deviation));
        Assert.InRange(leads.Count, Keys * (1 - none) * 0.99, Keys);
    }

    [Fact]
    public async Task A_refresh_that_fails_leaves_the_value_and_a_later_hit_refreshes_again()
    {
        var (cache, _) = Build(static options => options.EarlyRefresh = 1);
        var options = new HybridCacheEntryOptions { Expiration = TimeSpan.FromSeconds(100) };
        var first = CallAsync();
        var load = await _backend.NextRunAsync();
        Clock.Advance(TimeSpan.FromSeconds(10));
        load.Succeed(Old);
        Assert.Equal(Old, await first.SoonAsync());

        Clock.Advance(TimeSpan.FromSeconds(99.999));
        (await HitUntilRefreshAsync()).Fail(new InvalidDataException());
        var second = await HitUntilRefreshAsync();
        Assert.Equal(Old, await CallAsync().SoonAsync());
        second.Succeed(New);
        while (await CallAsync().SoonAsync() != New) Assert.Equal(3, _backend.Runs); // the refresh is about to store it
        Assert.Equal(3, _backend.Runs);

        Task<int> CallAsync() => cache.GetOrCreateAsync(Key, _backend.RunAsync, options).AsTask();

        async Task<BackendRun<int>> HitUntilRefreshAsync()
        {
            var runs = _backend.Runs;
            while (_backend.Runs == runs) Assert.Equal(Old, await CallAsync().SoonAsync()); // nearly every hit starts one now
            return await _backend.NextRunAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected Task<int> CallAsync(HybridCache cache, string? tag = null, CancellationToken token = default) =>
        cache.GetOrCreateAsync(Key, _backend.RunAsync, tags: tag is null ? null : [tag], cancellationToken: token).AsTask();

    private Task<int> CallAsync(HybridCache cache, HybridCacheEntryFlags flags) =>
        cache.GetOrCreateAsync(Key, _backend.RunAsync, new HybridCacheEntryOptions { Flags = flags }).AsTask();

    private HybridCache BuildBare()
    {
        var services = new ServiceCollection();
        AddInner(services);
        return Provide(services).GetRequiredService<HybridCache>();
    }

    protected (HybridCache Cache, ISingleflight Flights) Build(
        Action<CoalescingHybridCacheOptions>? configure = null, Action<HookedCache>? hook = null, (string Name, string Value)? settings = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMetrics();
        services.AddSingleton<TimeProvider>(Clock);
        var configuration = new ConfigurationBuilder();
        if (settings is { } setting) configuration.AddInMemoryCollection([new(setting.Name, setting.Value)]);
        services.AddSingleton<IConfiguration>(configuration.Build());
        AddInner(services);
        if (hook is not null)
        {
            var inner = BuildBare();
            services.AddSingleton<HybridCache>(_ =>
            {
                var hooked = new HookedCache(inner);
                hook(hooked);
                return hooked;
            });
        }

        services.AddSingleflight("cache", options => options.TimeProvider = Clock).CoalesceHybridCache(configure);
        var provider = Provide(services);
        return (provider.GetRequiredService<HybridCache>(), provider.GetRequiredKeyedService<ISingleflight>("cache"));
    }

    private ServiceProvider Provide(ServiceCollection services)
    {
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return provider;
    }
}
