using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>One key that many threads ask for at once: joins without a gate race against everything that closes a flight.</summary>
public sealed class HotKeyTests
{
    private const string Key = "hot";
    private const int Threads = 6;
    private const int Rounds = 300;

    [Fact]
    public async Task A_caller_that_comes_after_Forget_never_joins_the_forgotten_flight() =>
        await RaceAsync(static singleflight => singleflight.Forget(Key));

    [Fact]
    public async Task A_caller_that_comes_after_Clear_never_joins_a_flight_of_before() =>
        await RaceAsync(static singleflight => singleflight.Clear());

    [Fact]
    public async Task A_caller_that_has_seen_an_outcome_never_joins_the_same_flight_again()
    {
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
            });
            return call.AsTask().GetAwaiter().GetResult();
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
            Assert.Equal(round, await leader);
            Assert.All(await Task.WhenAll(calls), outcome => Assert.Equal(round, outcome));
            Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
            Assert.Equal(calls.Length, singleflight.GetStats().Coalesced);
            Assert.Equal(1, backend.Runs);
        }
    }

    [Fact]
    public async Task Sharers_move_to_the_successor_when_the_leader_cancels_the_work()
    {
        await using var singleflight = new Singleflight();
        using var leaderLeaves = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        var leader = singleflight.ExecuteAsync(Key, async _ =>
        {
            started.SetResult();
            await Task.Delay(Timeout.Infinite, leaderLeaves.Token); // the mistake: the leader's own token
            return 0;
        }, leaderLeaves.Token).AsTask();
        await started.Task;

        var backend = new Backend<int>();
        var sharers = Enumerable.Range(0, 10).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask()).ToArray();
        await leaderLeaves.CancelAsync();
        var run = await backend.NextRunAsync();
        var late = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        Assert.Equal(11, singleflight.GetStats().TotalSubscribers);

        run.Succeed(7);
        Assert.All(await Task.WhenAll([.. sharers, late]), outcome => Assert.Equal(7, outcome));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        Assert.Equal(1, backend.Runs);
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task More_flights_than_one_look_at_a_time_are_counted_expired_and_forgotten(bool expires)
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight<int>(new SingleflightOptions { TimeProvider = clock }, new OneShard(1_500));
        var backend = new Backend<int>();
        var calls = Enumerable.Range(0, 1_500).Select(key => (expires ? singleflight.ExecuteAsync(key, backend.RunStubbornAsync) : singleflight.ExecuteAsync(key, backend.RunAsync)).AsTask()).ToArray();
        var sharers = Enumerable.Range(0, 3).Select(_ => singleflight.ExecuteAsync(1_400, backend.RunAsync).AsTask()).ToArray();

        var stats = singleflight.GetStats();
        Assert.Equal((calls.Length, calls.Length + 3, 3L, 4), (stats.InFlightCount, stats.TotalSubscribers, stats.Coalesced, stats.LargestFlight));

        if (expires)
        {
            clock.Advance(TimeSpan.FromMinutes(1));
            foreach (var call in calls.Concat(sharers)) await Assert.ThrowsAsync<FlightTimeoutException>(() => call);
            Assert.Equal((0, 0L, calls.Length), (singleflight.GetStats().InFlightCount, singleflight.GetStats().TotalSubscribers, singleflight.GetStats().AbandonedCount));
        }
        else
        {
            singleflight.Clear();
            for (var key = 0; key < calls.Length; key++) _ = singleflight.ExecuteAsync(key, backend.RunAsync).AsTask();
            Assert.Equal(2 * calls.Length, singleflight.GetStats().InFlightCount);
            Assert.Equal(2 * calls.Length, backend.Runs);
        }
    }

    [Fact]
    public void A_turnstile_lets_exactly_those_in_that_come_before_it_closes()
    {
        for (var round = 0; round < 200; round++)
        {
            var turnstile = new Engine.Turnstile();
            var entered = 0;
            Crowd.Run(4, thread =>
            {
                if (thread == 0)
                {
                    Thread.SpinWait(round % 200);
                    turnstile.Close();
                    return;
                }

                var own = 0;
                while (turnstile.TryEnter()) own++;
                Interlocked.Add(ref entered, own);
                Assert.False(turnstile.TryEnter());
            });
            Assert.Equal(entered, turnstile.Count);
        }
    }

    // One thread forgets, and the others call. Each run has a number, and a call must not get one from before the last forget that it knows of.
    private static async Task RaceAsync(Action<Singleflight> forget)
    {
        await using var singleflight = new Singleflight();
        var (runs, line, forgets) = (0, 0, 0);
        Crowd.Run(Threads, thread =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                if (thread == 0)
                {
                    var before = Volatile.Read(ref runs);
                    forget(singleflight);
                    Volatile.Write(ref line, before); // every run up to this one began before the forget
                    forgets++;
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
                });
                var outcome = call.AsTask().GetAwaiter().GetResult();
                Assert.True(outcome > drawn, $"The outcome of run {outcome} came after a forget that followed run {drawn}.");
            }
        });
        Assert.Equal(Rounds, forgets);
        Assert.Equal((Threads - 1) * Rounds, singleflight.GetStats().Calls);
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
    }
}
