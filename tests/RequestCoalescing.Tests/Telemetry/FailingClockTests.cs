using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class FailingClockTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_clock_that_fails_while_a_landing_is_reported_loses_no_caller(bool fails)
    {
        var clock = new HookedClock();
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging().SetMinimumLevel(LogLevel.Trace));
        services.AddSingleflight(options => options.TimeProvider = clock);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var follower = Task.FromResult(0);
        var leader = singleflight.ExecuteAsync("key", WorkAsync).AsTask();
        if (fails) await leader.ThrowsAsync<InvalidOperationException>();
        else Assert.Equal(1, await leader.SoonAsync());
        if (fails) await follower.ThrowsAsync<InvalidOperationException>();
        else Assert.Equal(1, await follower.SoonAsync());
        clock.OnTimestamp = null;

        ValueTask<int> WorkAsync(CancellationToken flight)
        {
            var joins = new Thread(() => follower = singleflight.ExecuteAsync("key", static _ => ValueTask.FromResult(2)).AsTask());
            joins.UnsafeStart();
            Assert.True(joins.Join(Patience.Limit));
            clock.OnTimestamp = static () => throw new InvalidDataException();
            return fails ? throw new InvalidOperationException() : ValueTask.FromResult(1);
        }
    }
}
