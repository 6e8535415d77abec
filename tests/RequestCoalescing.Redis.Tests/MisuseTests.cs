namespace RequestCoalescing.Redis.Tests;

/// <summary>If a ValueTask is awaited twice, the second await throws, and the process lives on.</summary>
public sealed class MisuseTests
{
    [Fact]
    public async Task An_await_of_a_call_that_is_over_throws_while_its_source_serves_another_call()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var singleflight = new RedisSingleflight(connection);
        using var stays = new CancellationTokenSource();
        for (var round = 0; round < 20; round++)
        {
            var over = singleflight.ExecuteAsync("over", static _ => ValueTask.FromResult(1), stays.Token);
            await Patience.UntilAsync(() => over.IsCompleted, "the call is over");
            Assert.Equal(1, await over);

            var backend = new Backend<int>();
            var call = singleflight.ExecuteAsync("another", backend.RunAsync, stays.Token); // usually has the source of the other call
            var run = await backend.NextRunAsync();
            _ = over.IsCompleted || over.IsFaulted; // does not throw
            await AwaitAsync(over).ThrowsAsync<InvalidOperationException>();
            run.Succeed(2);
            Assert.Equal(2, await AwaitAsync(call).SoonAsync());
            await AwaitAsync(call).ThrowsAsync<InvalidOperationException>();
        }
    }

    [Fact]
    public async Task A_second_await_of_a_failed_call_throws_another_error()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var singleflight = new RedisSingleflight(connection);
        using var stays = new CancellationTokenSource();
        var call = singleflight.ExecuteAsync("post:12345", static _ => ValueTask.FromException<int>(new InvalidTimeZoneException()), stays.Token);
        await AwaitAsync(call).ThrowsAsync<InvalidTimeZoneException>();
        await AwaitAsync(call).ThrowsAsync<InvalidOperationException>();
    }

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
    }

    private static async Task<int> AwaitAsync(ValueTask<int> call) => await call;
}
