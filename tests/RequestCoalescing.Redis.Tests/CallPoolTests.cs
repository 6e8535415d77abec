using System.Globalization;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The objects of calls are pooled. A caller that leaves takes its object with it, because a flight may still start the caller's work.</summary>
public sealed class CallPoolTests
{
    private const int Keys = 3;
    private const int Rounds = 600;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Callers_that_leave_at_any_moment_give_no_other_caller_their_work(bool startsOnThreadPool)
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var node = new RedisSingleflight(connection, new SingleflightOptions { StartOnThreadPool = startsOnThreadPool });
        await Task.WhenAll(Enumerable.Range(0, 16).Select(caller => Task.Run(() => CallAsync(new Random(caller))))).SoonAsync();

        async Task CallAsync(Random random)
        {
            for (var round = 0; round < Rounds; round++)
            {
                var key = random.Next(Keys).ToString(CultureInfo.InvariantCulture);
                using var leaves = new CancellationTokenSource();
                var token = random.Next(4) == 0 ? default : leaves.Token;
                var call = node.ExecuteAsync(key, key, static (key, flight) => WorkAsync(key, flight), token);
                if (random.Next(2) == 0) leaves.CancelAfter(TimeSpan.FromMicroseconds(random.Next(2_000)));
                else if (random.Next(2) == 0) await leaves.CancelAsync();
                try
                {
                    Assert.Equal(key, await call);
                }
                catch (OperationCanceledException) when (token.IsCancellationRequested)
                {
                }
            }
        }

        // Ends cancelled when its leader leaves, so that the others elect.
        static async ValueTask<string> WorkAsync(string key, CancellationToken flight)
        {
            await Task.Yield();
            flight.ThrowIfCancellationRequested();
            return key;
        }
    }
}
