using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Redis.Tests;
using StackExchange.Redis;

namespace RequestCoalescing.Keys.Tests;

/// <summary>Generated keys where the library needs their text: across nodes, and where people see keys.</summary>
public sealed class NodeTests
{
    [Fact]
    public async Task Nodes_share_a_run_under_the_text_of_a_key()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var one = NodeOn(connection);
        await using var other = NodeOn(connection);
        var backend = new Backend<string>();
        var key = new PostKey("a,}\n", 10);

        var leading = PostsOf(one).ExecuteAsync(key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        Assert.True(await connection.GetDatabase().KeyExistsAsync(@"singleflight:PostKey:{PostKey(a\,)\u000a,10)}:PostKey(a\,}\u000a,10):lease"));
        var following = PostsOf(other).ExecuteAsync(key, backend.RunAsync).AsTask();
        await Patience.UntilAsync(
            () => connection.GetDatabase().KeyExists(@"singleflight:PostKey:{PostKey(a\,)\u000a,10)}:PostKey(a\,}\u000a,10):waiting"),
            "the other node waits");
        run.Succeed("post");
        Assert.Equal(["post", "post"], await Task.WhenAll(leading, following).SoonAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task People_see_the_text_of_a_key()
    {
        var services = new ServiceCollection();
        services.AddSingleflight<PostKey>();
        services.Configure<TelemetryOptions>(nameof(PostKey), telemetry => telemetry.KeyRedaction = KeyRedaction.Plain);
        await using var provider = services.BuildServiceProvider();
        var backend = new Backend<string>();
        var call = provider.GetRequiredService<ISingleflight<PostKey>>().ExecuteAsync(new PostKey("a,b", 10), backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        Assert.Equal(@"PostKey(a\,b,10)", provider.GetRequiredService<SingleflightInstance>().GetFlights().Single().Key);
        run.Succeed("post");
        await call.SoonAsync();
    }

    private static ServiceProvider NodeOn(ConnectionMultiplexer connection)
    {
        var services = new ServiceCollection();
        services.AddSingleflight<PostKey>().UseRedis<PostKey>(_ => connection, redis => redis.CommandTimeout = TimeSpan.FromSeconds(10));
        return services.BuildServiceProvider();
    }

    private static ISingleflight<PostKey> PostsOf(ServiceProvider node) => node.GetRequiredService<ISingleflight<PostKey>>();
}
