namespace RequestCoalescing.Redis.Tests;

public sealed class GarnetContractTests : RedisContractTests
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}
