namespace RequestCoalescing.Redis.Tests;

/// <summary>A ValueTask that is awaited twice: the misuser is told, and the process lives on.</summary>
public sealed class MisuseTests
{
    [Fact]
    public async Task Two_awaits_of_one_call()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var singleflight = new RedisSingleflight(connection);
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync("post:12345", backend.RunAsync);
        var first = AwaitAsync(call);
        var run = await backend.NextRunAsync();
        var second = AwaitAsync(call);
        await second.ThrowsAsync<InvalidOperationException>();
        run.Succeed(1);
        Assert.Equal(1, await first.SoonAsync());

        static async Task<int> AwaitAsync(ValueTask<int> call) => await call;
    }
}
