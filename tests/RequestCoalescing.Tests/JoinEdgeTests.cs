using System.Runtime.CompilerServices;

namespace RequestCoalescing.Tests;

/// <summary>Joins and leaves at the edges: late callbacks of tokens, clocks that throw, elections during a look at the statistics, work during Clear.</summary>
public sealed class JoinEdgeTests
{
    [Fact]
    public async Task A_late_callback_of_one_token_does_not_affect_the_caller_of_another()
    {
        var clock = new HookedClock();
        await using var singleflight = new Singleflight<string>(new SingleflightOptions { TimeProvider = clock });
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        using var isCancelling = new ManualResetEventSlim();
        using var mayGoOn = new ManualResetEventSlim();
        var canceller = new Thread(first.Cancel);
        var looks = 0;
        clock.OnTimestamp = () =>
        {
            if (++looks != 2) return; // the first is the take-off, the second sets the timer, when the leader has registered with its token

            // The newest registration runs first. It holds the leader's own callback up.
            first.Token.UnsafeRegister(
                _ =>
                {
                    isCancelling.Set();
                    mayGoOn.Wait();
                },
                null);
            canceller.Start();
            isCancelling.Wait();
        };

        var backend = new Backend<OwnPool>();
        var leader = singleflight.ExecuteAsync("a", backend.RunAsync, first.Token);
        Assert.True(leader.IsCompleted);
        var thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await leader);
        Assert.Equal(first.Token, thrown.CancellationToken);
        await backend.NextRunAsync();

        var other = singleflight.ExecuteAsync("b", backend.RunAsync, second.Token).AsTask(); // may wait in the same pooled object
        var run = await backend.NextRunAsync();
        mayGoOn.Set();
        canceller.Join();
        run.Succeed(new OwnPool(1));
        Assert.Equal(new OwnPool(1), await other);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_join_that_fails_because_the_clock_throws_leaves_nothing_on_the_token(bool follows)
    {
        var clock = new HookedClock();
        var options = new SingleflightOptions { TimeProvider = clock, JoinWindow = TimeSpan.FromSeconds(10), MaxDuration = TimeSpan.FromSeconds(20) };
        await using var singleflight = new Singleflight<string>(options);
        var work = new TaskCompletionSource<int>();
        if (follows) _ = singleflight.ExecuteAsync("a", _ => new ValueTask<int>(work.Task)).AsTask();
        using var application = new CancellationTokenSource();
        var looks = 0;
        clock.OnTimestamp = () =>
        {
            if (++looks >= (follows ? 1 : 2)) throw new TimeZoneNotFoundException();
        };
        var state = Fail();
        clock.OnTimestamp = null;
        work.SetResult(1);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(state.IsAlive);
        Assert.False(application.Token.IsCancellationRequested);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Fail()
        {
            var own = new object();
            Assert.Throws<TimeZoneNotFoundException>(() => { _ = singleflight.ExecuteAsync("a", own, (_, _) => new ValueTask<int>(work.Task), application.Token); });
            return new WeakReference(own);
        }
    }

    [Fact]
    public async Task A_flight_that_cannot_be_superseded_because_the_clock_throws_takes_no_slot()
    {
        var clock = new HookedClock();
        await using var singleflight = new Singleflight<string>(new SingleflightOptions { TimeProvider = clock, JoinWindow = TimeSpan.FromSeconds(1), MaxInFlight = 2 });
        var failure = default(Exception);
        await singleflight.ExecuteAsync("a", (CancellationToken token) =>
        {
            // The leader is still in the first steps of its work, so that no timer is set. Another caller would supersede the flight.
            clock.Ahead = TimeSpan.FromSeconds(5);
            clock.ThrowsOnTimer = true;
            var other = new Thread(() => failure = Record.Exception(() => { _ = singleflight.ExecuteAsync("a", (CancellationToken _) => new ValueTask<int>(2)); }));
            other.UnsafeStart();
            other.Join();
            clock.ThrowsOnTimer = false;
            return new ValueTask<int>(1);
        });
        Assert.IsType<TimeZoneNotFoundException>(failure);

        var work = new TaskCompletionSource<int>();
        var calls = new[] { "b", "c" }.Select(key => singleflight.ExecuteAsync(key, _ => new ValueTask<int>(work.Task)).AsTask()).ToArray();
        work.SetResult(1);
        await Task.WhenAll(calls);
    }

    [Fact]
    public async Task An_election_during_a_look_at_the_statistics_counts_no_sharer_twice()
    {
        const int Keys = 10_000;
        const int Sharers = 1_000;
        await using var singleflight = new Singleflight<int>(null, new OneShard(Keys));
        using var leaves = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>();
        var leader = singleflight.ExecuteAsync(0, async _ =>
        {
            await Task.Delay(Timeout.Infinite, leaves.Token); // the mistake: the leader's own token
            return 1;
        }, leaves.Token).AsTask();
        var sharers = Enumerable.Range(0, Sharers).Select(_ => singleflight.ExecuteAsync(0, _ => new ValueTask<int>(work.Task)).AsTask()).ToArray();
        for (var key = 1; key < Keys; key++) _ = singleflight.ExecuteAsync(key, _ => new ValueTask<int>(work.Task)).AsTask();

        var looks = 0;
        var isOver = false;
        var watcher = new Thread(() =>
        {
            for (; !Volatile.Read(ref isOver); Interlocked.Increment(ref looks)) singleflight.GetStats();
        });
        watcher.Start();
        await Patience.UntilAsync(() => Volatile.Read(ref looks) > 3, "The watcher looks.");
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        await Patience.UntilAsync(() => singleflight.GetStats().Elections == 1, "There is an election.");
        var seen = Volatile.Read(ref looks);
        await Patience.UntilAsync(() => Volatile.Read(ref looks) > seen + 3, "The watcher looks again.");
        Volatile.Write(ref isOver, true);
        watcher.Join();

        work.SetResult(1);
        await Task.WhenAll(sharers);
        var stats = singleflight.GetStats();
        Assert.Equal((Sharers, Keys + Sharers), (stats.Coalesced, stats.Calls));
    }

    [Theory]
    [InlineData("forget")]
    [InlineData("clear")]
    [InlineData("call")]
    public async Task While_Clear_runs_each_key_has_at_most_one_flight_that_is_current(string what)
    {
        const int Keys = 20_000;
        for (var round = 0; round < 3; round++)
        {
            await using var singleflight = new Singleflight<int>(null, new OneShard(Keys));
            var flights = new FlightContext[Keys];
            var work = new TaskCompletionSource<int>();
            for (var key = 0; key < Keys; key++) _ = singleflight.ExecuteAsync(key, key, (key, flight) => new ValueTask<int>(Keep(key, flight))).AsTask();

            var clear = new Thread(singleflight.Clear);
            clear.Start();
            SpinWait.SpinUntil(() => flights.Any(static flight => !flight.IsCurrent)); // the clear has begun
            for (var key = Keys - 1; key > 0; key -= 97)
            {
                if (what == "forget") singleflight.Forget(key);
                if (what == "clear") singleflight.Clear();
                if (what != "call")
                {
                    Assert.False(flights[key].IsCurrent);
                    continue;
                }

                var old = flights[key];
                _ = singleflight.ExecuteAsync(key, 0, (_, flight) =>
                {
                    Assert.False(flight.IsCurrent && old.IsCurrent && flight.IsCurrent);
                    return new ValueTask<int>(1);
                }).AsTask();
            }

            clear.Join();
            work.SetResult(1);

            Task<int> Keep(int key, FlightContext flight)
            {
                flights[key] = flight;
                return work.Task;
            }
        }
    }

    // A result type of its own, so that the waits come from a pool of their own.
    private sealed record OwnPool(int Value);

    private sealed class HookedClock : TimeProvider
    {
        public Action? OnTimestamp { get; set; }

        public TimeSpan Ahead { get; set; }

        public bool ThrowsOnTimer { get; set; }

        public override long GetTimestamp()
        {
            OnTimestamp?.Invoke();
            return base.GetTimestamp() + (long)(Ahead.TotalSeconds * TimestampFrequency);
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            ThrowsOnTimer ? throw new TimeZoneNotFoundException() : base.CreateTimer(callback, state, dueTime, period);
    }
}
