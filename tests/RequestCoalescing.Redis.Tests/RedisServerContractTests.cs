namespace RequestCoalescing.Redis.Tests;

public sealed class RedisServerContractTests : RedisContractTests
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
