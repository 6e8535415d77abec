using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Time.Testing;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>A cache and a flight together: the recipes of docs/comparison.md.</summary>
public sealed class UsingBothTests : IPostStore
{
    private static readonly Post s_old = new("old"), s_new = new("new");
    private readonly Backend<Post> _backend = new();

    [Fact]
    public async Task A_flight_around_FusionCache_makes_one_backend_call_for_a_failure()
    {
        var cache = NewFusionCache();
        var flights = new Singleflight();
        var callers = Enumerable.Range(0, 5).Select(_ => AroundFusionCacheAsync(cache, flights, Key, default)).ToArray();
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());

        foreach (var caller in callers) await caller.ThrowsAsync<InvalidDataException>();
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_flight_around_FusionCache_lets_the_leader_leave_and_the_load_goes_on()
    {
        var cache = NewFusionCache();
        var flights = new Singleflight();
        using var aborted = new CancellationTokenSource();
        var leader = AroundFusionCacheAsync(cache, flights, Key, aborted.Token);
        var run = await _backend.NextRunAsync();
        var follower = AroundFusionCacheAsync(cache, flights, Key, default);
        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        run.Succeed(s_new);
        Assert.Equal(s_new, await follower.SoonAsync());
        Assert.Equal(s_new, await AroundFusionCacheAsync(cache, flights, Key, default).SoonAsync()); // from the cache
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_flight_inside_HybridCache_ends_hung_work_and_frees_the_key()
    {
        var clock = new FakeTimeProvider();
        var cache = NewHybridCache();
        var flights = new Singleflight(new SingleflightOptions { TimeProvider = clock, MaxDuration = TimeSpan.FromSeconds(5) });
        var callers = Enumerable.Range(0, 3).Select(_ => InsideHybridCacheAsync(cache, flights, Key, default)).ToArray();
        var hung = await _backend.NextRunAsync();
        clock.Advance(TimeSpan.FromSeconds(5));

        foreach (var caller in callers) await caller.ThrowsAsync<FlightTimeoutException>();
        var later = InsideHybridCacheAsync(cache, flights, Key, default);
        (await _backend.NextRunAsync()).Succeed(s_new);
        Assert.Equal(s_new, await later.SoonAsync());
        hung.Succeed(s_old);
    }

    [Fact]
    public async Task A_flight_that_reads_and_writes_HybridCache_itself_keeps_an_old_value_out()
    {
        var posts = new PostService(NewHybridCache(), new Singleflight(), this);
        var before = posts.GetAsync(Key, default).AsTask();
        var load = await _backend.NextRunAsync();
        await posts.SaveAsync(Key, s_new, default);

        var after = posts.GetAsync(Key, default).AsTask();
        (await _backend.NextRunAsync()).Succeed(s_new);
        Assert.Equal(s_new, await after.SoonAsync());
        load.Succeed(s_old);
        Assert.Equal(s_old, await before.SoonAsync());
        Assert.Equal(s_new, await posts.GetAsync(Key, default).AsTask().SoonAsync()); // from the cache
    }

    [Fact]
    public async Task A_flight_that_lands_while_the_entry_is_removed_does_not_store_the_old_value()
    {
        var cache = new HookedCache(NewHybridCache());
        var posts = new PostService(cache, new Singleflight(), this);
        var before = posts.GetAsync(Key, default).AsTask();
        var load = await _backend.NextRunAsync();
        cache.AfterRemoval = async () =>
        {
            load.Succeed(s_old);
            Assert.Equal(s_old, await before.SoonAsync());
        };
        await posts.SaveAsync(Key, s_new, default);

        var after = posts.GetAsync(Key, default).AsTask();
        (await _backend.NextRunAsync()).Succeed(s_new);
        Assert.Equal(s_new, await after.SoonAsync());
    }

    private async Task<Post> AroundFusionCacheAsync(FusionCache cache, Singleflight flights, string key, CancellationToken cancellationToken)
    {
        Task<Post> LoadAsync(CancellationToken token) => _backend.RunAsync(token).AsTask();

        // <snippet comparison-around>
        var post = await flights.ExecuteAsync(key, flight => cache.GetOrSetAsync<Post>(key, (_, token) => LoadAsync(token), token: flight), cancellationToken);
        // </snippet>
        return post;
    }

    private async Task<Post> InsideHybridCacheAsync(HybridCache cache, Singleflight flights, string key, CancellationToken cancellationToken)
    {
        ValueTask<Post> LoadAsync(CancellationToken token) => _backend.RunStubbornAsync(token);

        // <snippet comparison-inside>
        var post = await cache.GetOrCreateAsync(key, token => flights.ExecuteAsync(key, LoadAsync, token), cancellationToken: cancellationToken);
        // </snippet>
        return post;
    }

    ValueTask<Post> IPostStore.LoadAsync(string key, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken);

    Task IPostStore.SaveAsync(string key, Post post, CancellationToken cancellationToken) => Task.CompletedTask;
}
