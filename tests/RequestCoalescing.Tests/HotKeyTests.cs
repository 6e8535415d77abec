using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>One key that many threads ask for at once: joins without a gate race against everything that closes a flight.</summary>
public sealed class HotKeyTests
{
    private const string Key = "hot";
    private const int Threads = 6;
    private const int Rounds = 300;
    private const int Flights = 1_500;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_comes_after_Forget_never_joins_the_forgotten_flight(bool hasToken) =>
        await RaceAsync(hasToken, static singleflight => singleflight.Forget(Key));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_comes_after_Clear_never_joins_an_earlier_flight(bool hasToken) =>
        await RaceAsync(hasToken, static singleflight => singleflight.Clear());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_has_seen_an_outcome_never_joins_the_same_flight_again(bool hasToken)
    {
        using var token = new CancellationTokenSource();
        await using var singleflight = new Singleflight();
        var runs = 0;
        Crowd.Run(Threads, _ =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                var last = Volatile.Read(ref runs);
                var first = Call();
                var second = Call();
                Assert.True(second > first, $"The run {second} was there before the outcome of {first} was seen.");
                Assert.True(first >= last);
            }
        });
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
        Assert.Equal(2 * Threads * Rounds, singleflight.GetStats().Calls);

        int Call()
        {
            var call = singleflight.ExecuteAsync(Key, async _ =>
            {
                var run = Interlocked.Increment(ref runs);
                await Task.Yield();
                return run;
            }, hasToken ? token.Token : default);
            return call.AsTask().SoonAsync().GetAwaiter().GetResult();
        }
    }

    [Fact]
    public async Task Every_caller_without_a_token_is_counted_and_gets_the_outcome()
    {
        for (var round = 0; round < 50; round++)
        {
            await using var singleflight = new Singleflight();
            var backend = new Backend<int>();
            var calls = new Task<int>[Threads * 100];
            var leader = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
            var run = await backend.NextRunAsync();
            Crowd.Run(Threads, thread =>
            {
                for (var i = 0; i < 100; i++) calls[(thread * 100) + i] = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
            });

            Assert.Equal(calls.Length + 1, singleflight.GetStats().TotalSubscribers);
            Assert.Equal(calls.Length, singleflight.GetStats().Coalesced);
            Assert.Equal(calls.Length + 1, singleflight.GetStats().LargestFlight);
            run.Succeed(round);
            Assert.Equal(round, await leader.SoonAsync());
            Assert.All(await Task.WhenAll(calls).SoonAsync(), outcome => Assert.Equal(round, outcome));
            Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
            Assert.Equal(calls.Length, singleflight.GetStats().Coalesced);
            Assert.Equal(1, backend.Runs);
        }
    }

    [Fact]
    public async Task More_flights_than_are_read_at_once_are_counted_and_expire()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = Start(clock, new Backend<int>().RunStubbornAsync, out var calls, out var sharers);
        var stats = singleflight.GetStats();
        Assert.Equal((Flights, Flights + 3, 3L, 4), (stats.InFlightCount, stats.TotalSubscribers, stats.Coalesced, stats.LargestFlight));

        clock.Advance(TimeSpan.FromMinutes(1));
        foreach (var call in calls.Concat(sharers)) await call.ThrowsAsync<FlightTimeoutException>();
        stats = singleflight.GetStats();
        Assert.Equal((0, 0L, Flights), (stats.InFlightCount, stats.TotalSubscribers, stats.AbandonedCount));
    }

    [Fact]
    public async Task Clear_forgets_more_flights_than_are_removed_at_once()
    {
        var backend = new Backend<int>();
        await using var singleflight = Start(new FakeTimeProvider(), backend.RunAsync, out _, out _);
        singleflight.Clear();
        for (var key = 0; key < Flights; key++) _ = singleflight.ExecuteAsync(key, backend.RunAsync).AsTask();
        Assert.Equal(2 * Flights, singleflight.GetStats().InFlightCount);
        Assert.Equal(2 * Flights, backend.Runs);
    }

    private static Singleflight<int> Start(TimeProvider clock, Func<CancellationToken, ValueTask<int>> work, out Task<int>[] calls, out Task<int>[] sharers)
    {
        var singleflight = new Singleflight<int>(new SingleflightOptions { TimeProvider = clock }, new OneShard(Flights));
        calls = [.. Enumerable.Range(0, Flights).Select(key => singleflight.ExecuteAsync(key, work).AsTask())];
        sharers = [.. Enumerable.Range(0, 3).Select(_ => singleflight.ExecuteAsync(Flights - 100, work).AsTask())];
        return singleflight;
    }

    // One thread forgets, and the others call. Each run has a number, and a call must not get one from before the last forget that it knows of.
    private static async Task RaceAsync(bool hasToken, Action<Singleflight> forget)
    {
        using var token = new CancellationTokenSource();
        await using var singleflight = new Singleflight();
        var (runs, line) = (0, 0);
        Crowd.Run(Threads, thread =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                if (thread == 0)
                {
                    var before = Volatile.Read(ref runs);
                    forget(singleflight);
                    Volatile.Write(ref line, before); // every run up to this one began before the forget
                    Thread.SpinWait(50);
                    continue;
                }

                var drawn = Volatile.Read(ref line);
                var call = singleflight.ExecuteAsync(Key, async _ =>
                {
                    var run = Interlocked.Increment(ref runs);
                    await Task.Yield();
                    Thread.SpinWait(200);
                    return run;
                }, hasToken ? token.Token : default);
                var outcome = call.AsTask().SoonAsync().GetAwaiter().GetResult();
                Assert.True(outcome > drawn, $"The outcome of run {outcome} came after a forget that followed run {drawn}.");
            }
        });
        Assert.Equal((Threads - 1) * Rounds, singleflight.GetStats().Calls);
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
    }
}
