using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RequestCoalescing.Caching;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The limits of a removal on one node that docs/caching.md states: what it does to a load of another node.</summary>
public abstract class CacheReachTests : CacheNodesFixture
{
    private const string Key = "post:1";
    private const string Tag = "posts";
    private const int Nothing = 0, Old = 1, New = 2;

    private static readonly HybridCacheEntryOptions s_secondLevel = new() { Flags = HybridCacheEntryFlags.DisableLocalCache };
    private static readonly HybridCacheEntryOptions s_lookOnly = new() { Flags = HybridCacheEntryFlags.DisableLocalCache | HybridCacheEntryFlags.DisableUnderlyingData };

    private static readonly HybridCacheEntryOptions s_noStore = new() { Flags = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCacheWrite };

    [Fact]
    public async Task A_store_at_the_moment_of_a_removal_on_another_node_is_undone_and_until_then_readers_can_see_it()
    {
        var (loading, removing) = (Start(out var second), Start(out _));
        var before = CallAsync(loading, s_secondLevel);
        var (stores, mayStore) = second.HoldNextStore();
        (await Backend.NextRunAsync()).Succeed(Old);
        await stores.SoonAsync();
        await removing.RemoveAsync(Key);
        var after = CallAsync(loading, s_secondLevel);
        var run = await Backend.NextRunAsync(); // the loading node has heard of the removal

        var (undoes, mayUndo) = second.HoldNextRemoval();
        mayStore.SetResult();
        await undoes.SoonAsync();
        Assert.Equal(Old, await LookAsync(removing));
        mayUndo.SetResult();
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(removing));
        run.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        Assert.Equal(New, await LookAsync(removing));
    }

    [Fact]
    public async Task A_store_is_undone_if_the_message_of_a_removal_arrives_only_after_it()
    {
        await using var proxy = new FaultyProxy(Server.Port);
        var (loading, removing) = (Start(out _, proxy.Port), Start(out _));
        var before = CallAsync(loading);
        var load = await Backend.NextRunAsync();
        proxy.Deafen();
        await removing.RemoveAsync(Key);
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(removing));
        proxy.CatchUp();
        Assert.Equal(Nothing, await LookAsync(removing));
    }

    [Fact]
    public async Task A_node_that_loads_a_value_too_large_to_send_undoes_its_store_if_the_message_of_a_removal_arrives_only_after_it()
    {
        await using var proxy = new FaultyProxy(Server.Port);
        var (leading, loading) = (Start(out _, maxPayload: 0), Start(out _, proxy.Port, maxPayload: 0));
        var first = CallAsync(leading, s_noStore);
        var lead = await Backend.NextRunAsync();
        var before = CallAsync(loading);
        await using (var redis = await Server.ConnectAsync())
        {
            await Patience.UntilAsync(() => redis.GetDatabase().KeyExists($"singleflight:cache:{{{Key}}}:{Key}:waiting"), "the other node waits for the outcome");
        }

        lead.Succeed(Old);
        Assert.Equal(Old, await first.SoonAsync());
        var load = await Backend.NextRunAsync();
        proxy.Deafen();
        await leading.RemoveAsync(Key);
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(leading));
        proxy.CatchUp();
    }

    [Fact]
    public async Task A_flight_that_was_forgotten_before_it_had_its_lease_stores_nothing()
    {
        await using var proxy = new FaultyProxy(Server.Port);
        var (loading, removing) = (Start(out _, proxy.Port), Start(out _));
        var flights = Nodes[0].GetRequiredKeyedService<ISingleflight>("cache");
        proxy.HoldCommands();
        var before = CallAsync(loading);
        await proxy.UntilHeldAsync();
        flights.Forget(Key);
        proxy.PassCommands();
        var load = await Backend.NextRunAsync();
        await removing.RemoveAsync(Key);
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(removing));
    }

    [Theory]
    [InlineData(HybridCacheEntryFlags.None)]
    [InlineData(HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead)]
    public async Task A_removal_by_tag_reaches_the_load_of_another_node(HybridCacheEntryFlags flags)
    {
        var (loading, removing) = (Start(out _), Start(out _));
        var options = new HybridCacheEntryOptions { Flags = flags };
        var before = CallAsync(loading, options);
        var load = await Backend.NextRunAsync();
        await removing.RemoveByTagAsync(Tag);
        var after = CallAsync(removing, options);
        var second = await Backend.NextRunAsync(); // the caller has not joined the load
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(removing));
        second.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        Assert.Equal(2, Backend.Runs);
    }

    [Fact]
    public async Task A_store_is_undone_if_the_message_of_a_removal_by_tag_arrives_only_after_it()
    {
        await using var proxy = new FaultyProxy(Server.Port);
        var (loading, removing) = (Start(out _, proxy.Port), Start(out _));
        var before = CallAsync(loading);
        var load = await Backend.NextRunAsync();
        proxy.Deafen();
        await removing.RemoveByTagAsync(Tag);
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Nothing, await LookAsync(removing));
        proxy.CatchUp();
    }

    [Fact]
    public async Task A_removal_by_a_tag_that_no_load_names_reaches_no_load()
    {
        var (loading, removing) = (Start(out _), Start(out _));
        var before = CallAsync(loading);
        var load = await Backend.NextRunAsync();
        await removing.RemoveByTagAsync("others");
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(Old, await CallAsync(removing).SoonAsync());
        Assert.Equal(1, Backend.Runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_removal_from_a_distributed_cache_waits_for_the_cluster_that_it_is_given(bool waits)
    {
        await using var proxy = new FaultyProxy(Server.Port);
        Start(out var second, proxy.Port);
        var flights = Nodes[0].GetRequiredKeyedService<ISingleflight>("cache");
        var cluster = Nodes[0].GetRequiredKeyedService<IClusterSingleflight<string>>("cache");
        await second.SetAsync(Key, [1], new DistributedCacheEntryOptions());
        proxy.HoldCommands();
        var removal = second.RemoveAndForgetAsync(flights, Key, waits ? cluster : null);
        await proxy.UntilHeldAsync();
        if (waits) Assert.False(removal.IsCompleted);
        else await removal.SoonAsync();
        proxy.PassCommands();
        await removal.SoonAsync();
        Assert.Null(await second.GetAsync(Key));
    }

    [Fact]
    public async Task A_removal_by_tag_reaches_the_load_of_another_node_if_a_caller_of_its_own_node_waits_for_it()
    {
        var (loading, removing) = (Start(out _), Start(out _));
        var before = CallAsync(loading);
        var load = await Backend.NextRunAsync();
        var follower = CallAsync(removing);
        await Nodes[^1].GetRequiredKeyedService<ISingleflight>("cache").UntilSubscribersAsync(1);
        await removing.RemoveByTagAsync(Tag);
        var second = await Backend.NextRunAsync(); // for the follower, as it waits for a flight that was forgotten
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        second.Succeed(New);
        Assert.Equal(New, await follower.SoonAsync());
        Assert.Equal(New, await removing.GetOrCreateAsync(Key, static _ => ValueTask.FromResult(New), tags: [Tag]).AsTask().SoonAsync()); // stored or not, as the follower's flight may be the forgotten one
    }

    private Task<int> CallAsync(HybridCache cache, HybridCacheEntryOptions? options = null) => cache.GetOrCreateAsync(Key, Backend.RunAsync, options, [Tag]).AsTask();

    // Looks without a load and without a flight.
    private static Task<int> LookAsync(HybridCache cache) =>
        cache.GetOrCreateAsync(Key, static _ => ValueTask.FromResult(Nothing), s_lookOnly).AsTask().SoonAsync();

    private HybridCache Start(out SlowCache second, int? port = null, int maxPayload = 1024)
    {
        var redis = port is null ? Server.ConnectionString : $"127.0.0.1:{port},abortConnect=false,connectRetry=10,connectTimeout=2000";
        second = new SlowCache(new RedisCache(Options.Create(new RedisCacheOptions { Configuration = Server.ConnectionString })));
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IDistributedCache>(second);
        services.AddHybridCache();
        services.AddSingleflight("cache")
            .UseRedis(redis, options => (options.LeaseDuration, options.CommandTimeout, options.MaxPayloadBytes) = (TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), maxPayload)) // longer than any pause of a busy machine
            .CoalesceHybridCache();
        var node = services.BuildServiceProvider();
        Nodes.Add(node);
        return node.GetRequiredService<HybridCache>();
    }

    // Holds up one store, or one removal, before it reaches Redis.
    private sealed class SlowCache(IDistributedCache inner) : IDistributedCache
    {
        private Func<Task>? _beforeStore;
        private Func<Task>? _beforeRemoval;

        public (Task Stores, TaskCompletionSource MayStore) HoldNextStore() => Hold(hook => _beforeStore = hook);

        public (Task Removes, TaskCompletionSource MayRemove) HoldNextRemoval() => Hold(hook => _beforeRemoval = hook);

        public async Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
        {
            if (key == Key && Interlocked.Exchange(ref _beforeStore, null) is { } hook) await hook();
            await inner.SetAsync(key, value, options, token);
        }

        public async Task RemoveAsync(string key, CancellationToken token = default)
        {
            if (key == Key && Interlocked.Exchange(ref _beforeRemoval, null) is { } hook) await hook();
            await inner.RemoveAsync(key, token);
        }

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => inner.GetAsync(key, token);

        public Task RefreshAsync(string key, CancellationToken token = default) => inner.RefreshAsync(key, token);

        public byte[]? Get(string key) => inner.Get(key);

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => inner.Set(key, value, options);

        public void Remove(string key) => inner.Remove(key);

        public void Refresh(string key) => inner.Refresh(key);

        private static (Task, TaskCompletionSource) Hold(Action<Func<Task>> set)
        {
            var isThere = new TaskCompletionSource();
            var mayGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            set(() =>
            {
                isThere.SetResult();
                return mayGo.Task;
            });
            return (isThere.Task, mayGo);
        }
    }
}

public sealed class GarnetCacheReachTests : CacheReachTests
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}

public sealed class RedisServerCacheReachTests : CacheReachTests
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
