using Garnet;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The test with an embedded server that <c>docs/testing.md</c> shows.</summary>
public sealed class EmbeddedServerTests
{
    // <snippet garnet>
    [Fact]
    public async Task A_call_goes_through_the_cluster()
    {
        var port = RedisServer.FreePort();
        using var server = new GarnetServer(["--bind", "127.0.0.1", "--port", $"{port}", "--lua", "true", "--lua-transaction-mode", "true"]);
        server.Start();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleflight("posts").UseRedis($"127.0.0.1:{port}", redis =>
        {
            redis.OnOutage = OutageBehavior.Fail;
            redis.CommandTimeout = TimeSpan.FromSeconds(30); // a busy machine may take long to start the server
        });
        await using var provider = services.BuildServiceProvider();
        var posts = provider.GetRequiredKeyedService<ISingleflight>("posts");

        Assert.Equal("post 1", await posts.ExecuteAsync("post:1", _ => Task.FromResult("post 1")));
    }
    // </snippet>
}
