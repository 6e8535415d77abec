namespace RequestCoalescing.Redis.Tests;

public sealed class GarnetClusterTests : ClusterTests
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}
