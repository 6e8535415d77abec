using System.Runtime.CompilerServices;
using Microsoft.Extensions.Time.Testing;

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
            // The first reading is at the start of the flight. The second sets the timer, after the leader has registered with its token.
            if (++looks != 2) return;

            // The newest registration runs first. It holds the leader's own callback up.
            first.Token.UnsafeRegister(
                _ =>
                {
                    isCancelling.Set();
                    mayGoOn.Wait(Patience.Limit);
                },
                null);
            canceller.Start();
            isCancelling.Wait(Patience.Limit);
        };

        var backend = new Backend<OwnPool>();
        var leader = singleflight.ExecuteAsync("a", backend.RunAsync, first.Token);
        Assert.True(leader.IsCompleted);
        await leader.AsTask().LeavesWithAsync(first.Token);
        await backend.NextRunAsync();

        var other = singleflight.ExecuteAsync("b", backend.RunAsync, second.Token).AsTask(); // may wait in the same pooled object
        var run = await backend.NextRunAsync();
        mayGoOn.Set();
        Assert.True(canceller.Join(Patience.Limit));
        run.Succeed(new OwnPool(1));
        Assert.Equal(new OwnPool(1), await other.SoonAsync());
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
            if (++looks >= (follows ? 1 : 2)) throw new InvalidDataException();
        };
        var state = Fail();
        clock.OnTimestamp = null;
        work.SetResult(1);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(state.IsAlive);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Fail()
        {
            var own = new object();
            Assert.Throws<InvalidDataException>(() => { _ = singleflight.ExecuteAsync("a", own, (_, _) => new ValueTask<int>(work.Task), application.Token); });
            return new WeakReference(own);
        }
    }

    [Fact]
    public async Task A_flight_that_cannot_be_superseded_because_the_clock_throws_takes_no_slot()
    {
        var clock = new FailingTimeProvider();
        await using var singleflight = new Singleflight<string>(new SingleflightOptions { TimeProvider = clock, JoinWindow = TimeSpan.FromSeconds(1), MaxInFlight = 2 });
        var failure = default(Exception);
        await singleflight.ExecuteAsync("a", (CancellationToken token) =>
        {
            // The leader is still in the first steps of its work, so that no timer is set. Another caller would supersede the flight.
            clock.Advance(TimeSpan.FromSeconds(5));
            clock.Fails = true;
            var other = new Thread(() => failure = Record.Exception(() => { _ = singleflight.ExecuteAsync("a", (CancellationToken _) => new ValueTask<int>(2)); }));
            other.UnsafeStart();
            Assert.True(other.Join(Patience.Limit));
            clock.Fails = false;
            return new ValueTask<int>(1);
        });
        Assert.IsType<InvalidDataException>(failure);

        var work = new TaskCompletionSource<int>();
        var calls = new[] { "b", "c" }.Select(key => singleflight.ExecuteAsync(key, _ => new ValueTask<int>(work.Task)).AsTask()).ToArray();
        work.SetResult(1);
        await Task.WhenAll(calls).SoonAsync();
    }

    [Fact]
    public async Task An_election_during_a_look_at_the_statistics_counts_no_sharer_twice()
    {
        const int Keys = 10_000;
        const int Sharers = 1_000;
        await using var singleflight = new Singleflight<int>(null, new OneShard(Keys));
        using var leaves = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>();
        var leader = singleflight.ExecuteAsync(0, _ => new Backend<int>().RunAsync(leaves.Token), leaves.Token).AsTask(); // the mistake: the leader's own token
        var sharers = Enumerable.Range(0, Sharers).Select(_ => singleflight.ExecuteAsync(0, _ => new ValueTask<int>(work.Task)).AsTask()).ToArray();
        for (var key = 1; key < Keys; key++) _ = singleflight.ExecuteAsync(key, _ => new ValueTask<int>(work.Task)).AsTask();

        var looks = 0;
        var isOver = false;
        var watcher = new Thread(() =>
        {
            for (; !Volatile.Read(ref isOver); Interlocked.Increment(ref looks)) singleflight.GetStats();
        });
        watcher.Start();
        await Patience.UntilAsync(() => Volatile.Read(ref looks) > 3, "the watcher has looked");
        await leaves.CancelAsync();
        await leader.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => singleflight.GetStats().Elections == 1, "there is an election");
        var seen = Volatile.Read(ref looks);
        await Patience.UntilAsync(() => Volatile.Read(ref looks) > seen + 3, "the watcher has looked again");
        Volatile.Write(ref isOver, true);
        Assert.True(watcher.Join(Patience.Limit));

        work.SetResult(1);
        await Task.WhenAll(sharers).SoonAsync();
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
        var comparer = new OneShard(Keys);
        for (var round = 0; round < 3; round++)
        {
            await using var singleflight = new Singleflight<int>(null, comparer);
            var calls = new List<Task<int>>();
            var flights = new FlightContext[Keys];
            var work = new TaskCompletionSource<int>();
            for (var key = 0; key < Keys; key++) _ = singleflight.ExecuteAsync(key, key, (key, flight) => new ValueTask<int>(Keep(key, flight))).AsTask();

            var clear = new Thread(singleflight.Clear);
            clear.Start();
            Assert.True(SpinWait.SpinUntil(() => flights.Any(static flight => !flight.IsCurrent), Patience.Limit)); // the clear has begun
            for (var key = Keys - 1; key > 0; key -= 97)
            {
                if (what == "forget") singleflight.Forget(key);
                if (what == "clear") singleflight.Clear();
                if (what != "call")
                {
                    Assert.False(flights[key].IsCurrent);
                    continue;
                }

                // Current before and after the old one was seen as current: both are current at once.
                var old = flights[key];
                calls.Add(singleflight.ExecuteAsync(key, 0, (_, flight) => new ValueTask<int>(flight.IsCurrent && old.IsCurrent && flight.IsCurrent ? 2 : 1)).AsTask()); // or joins the old flight
            }

            Assert.True(clear.Join(Patience.Limit));
            work.SetResult(1);
            Assert.All(await Task.WhenAll(calls).SoonAsync(), outcome => Assert.Equal(1, outcome));

            Task<int> Keep(int key, FlightContext flight)
            {
                flights[key] = flight;
                return work.Task;
            }
        }
    }

    // A result type of its own, so that the waits come from a pool of their own.
    private sealed record OwnPool(int Value);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Work_that_ends_while_a_join_asks_for_the_time_loses_no_caller(bool hasToken)
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight<int>(new SingleflightOptions { TimeProvider = clock, JoinWindow = TimeSpan.FromSeconds(20) }, new OneShard(2));
        var other = new TaskCompletionSource<int>();
        _ = singleflight.ExecuteAsync(1, _ => new ValueTask<int>(other.Task)).AsTask(); // the timer of the shard is set for it
        var leader = singleflight.ExecuteAsync(0, DelayAsync).AsTask();
        using var token = new CancellationTokenSource();
        clock.AutoAdvanceAmount = TimeSpan.FromSeconds(1); // the delay is over at the next question
        var follower = singleflight.ExecuteAsync(0, _ => ValueTask.FromResult(2), hasToken ? token.Token : default).AsTask();
        clock.AutoAdvanceAmount = TimeSpan.Zero;
        Assert.Equal(1, await leader.SoonAsync());
        Assert.InRange(await follower.SoonAsync(), 1, 2);
        other.SetResult(0);

        async ValueTask<int> DelayAsync(CancellationToken flight)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), clock, flight);
            return 1;
        }
    }

    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 3)]
    [InlineData(true, 1)]
    public async Task A_crowded_flight_is_joined_while_another_thread_holds_the_gate(bool hasToken, int stay)
    {
        var comparer = new HookedComparer();
        await using var singleflight = new Singleflight<string>(comparer: comparer);
        var backend = new Backend<int>();
        var tokens = Enumerable.Range(0, 4).Select(_ => new CancellationTokenSource()).ToArray();
        var crowd = tokens.Select(token => Call(token.Token)).ToArray(); // the last one needs no gate
        var run = await backend.NextRunAsync();
        var sharer = Call(default);
        for (var i = 0; i < 3 && stay == 1; i++)
        {
            await tokens[i].CancelAsync();
            await crowd[i].LeavesWithAsync(tokens[i].Token);
        }

        using var inTheRing = new CancellationTokenSource();
        var second = stay == 1 ? Enumerable.Range(0, 3).Select(_ => Call(inTheRing.Token)).ToArray() : []; // opens the flight once more
        using var holds = new ManualResetEventSlim();
        using var mayGo = new ManualResetEventSlim();
        comparer.Hook = () =>
        {
            holds.Set();
            Assert.True(mayGo.Wait(Patience.Limit));
        };
        var holder = Task.Factory.StartNew(() => singleflight.Forget("other"), TaskCreationOptions.LongRunning); // compares under the gate
        Assert.True(holds.Wait(Patience.Limit));
        using var own = new CancellationTokenSource();
        var joining = Task.Factory.StartNew(() => Call(hasToken ? own.Token : default), TaskCreationOptions.LongRunning);
        var joined = await joining.SoonAsync();
        mayGo.Set();
        Assert.False(await holder.SoonAsync());
        run.Succeed(1);
        Assert.All(await Task.WhenAll([.. second, .. crowd.Skip(4 - stay), sharer, joined]).SoonAsync(), outcome => Assert.Equal(1, outcome));

        Task<int> Call(CancellationToken token) => singleflight.ExecuteAsync("hot", backend.RunAsync, token).AsTask();
    }
}
