namespace RequestCoalescing.Redis.Tests;

/// <summary>If a ValueTask is awaited twice, the second await throws, and the process lives on.</summary>
public sealed class MisuseTests
{
    [Fact]
    public async Task A_second_await_of_a_call_throws()
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
