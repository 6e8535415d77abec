using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Nodes with a HybridCache each, one Redis as their second level, and one flight for all of them.</summary>
public abstract class CachingTests : CacheNodesFixture
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    [Fact]
    public async Task A_key_is_loaded_once_for_allNodes_and_is_in_the_second_level_then()
    {
        var caches = Enumerable.Range(0, 3).Select(_ => Start()).ToArray();
        var calls = caches.SelectMany(cache => Enumerable.Range(0, 20).Select(_ => CallAsync(cache))).ToArray();
        (await Backend.NextRunAsync()).Succeed(New);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));
        Assert.Equal(New, await CallAsync(Start()).SoonAsync());
        Assert.Equal(1, Backend.Runs);
    }

    [Fact]
    public async Task A_removal_on_one_node_reaches_the_load_of_another_one()
    {
        var (loading, removing) = (Start(), Start());
        var before = CallAsync(loading);
        var load = await Backend.NextRunAsync();
        await removing.RemoveAsync(Key);

        var after = CallAsync(removing);
        var second = await Backend.NextRunAsync();
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        second.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        Assert.Equal(New, await CallAsync(Start()).SoonAsync());
        Assert.Equal(2, Backend.Runs);
    }

    private Task<int> CallAsync(HybridCache cache) => cache.GetOrCreateAsync(Key, Backend.RunAsync).AsTask();

    private HybridCache Start()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddStackExchangeRedisCache(options => options.Configuration = Server.ConnectionString);
        services.AddHybridCache();
        services.AddSingleflight("cache")
            .UseRedis(Server.ConnectionString)
            .CoalesceHybridCache();
        var node = services.BuildServiceProvider();
        Nodes.Add(node);
        return node.GetRequiredService<HybridCache>();
    }
}

public sealed class GarnetCachingTests : CachingTests
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}

public sealed class RedisServerCachingTests : CachingTests
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
