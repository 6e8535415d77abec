namespace RequestCoalescing.Redis.Tests;

public sealed class RedisServerClusterTests : ClusterTests
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
