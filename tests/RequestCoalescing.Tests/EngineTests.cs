using System.Runtime.CompilerServices;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>Properties of the engine, beyond the laws that every implementation keeps.</summary>
public sealed class EngineTests
{
    private const string Key = "post:12345";

    // The unobserved-task event covers the whole process. UnseenException and this unusual MaxDuration let the tests recognise their own errors.
    private static readonly TimeSpan s_unseen = TimeSpan.FromMilliseconds(12_345);

    [Fact]
    public async Task Law02_When_the_work_has_ended_and_the_token_fires_before_the_landing_the_outcome_wins()
    {
        await using var singleflight = new Singleflight();
        for (var round = 0; round < 200; round++)
        {
            using var aborted = new CancellationTokenSource();
            var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            var leader = singleflight.ExecuteAsync(Key, _ => work.Task, aborted.Token).AsTask();
            var follower = singleflight.ExecuteAsync(Key, _ => work.Task, aborted.Token).AsTask();

            work.SetResult(round); // the landing is about to happen
            aborted.Cancel();

            Assert.Equal(round, await leader.SoonAsync());
            Assert.Equal(round, await follower.SoonAsync());
        }
    }

    [Fact]
    public async Task Law02_A_throwing_callback_on_the_flights_token_affects_no_caller()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        var called = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var work = new TaskCompletionSource<int>();
        var caller = singleflight.ExecuteAsync(
            Key,
            flight =>
            {
                flight.Register(() =>
                {
                    called.SetResult();
                    throw new InvalidDataException();
                });
                return work.Task;
            },
            aborted.Token).AsTask();

        aborted.Cancel(); // this would throw if the callback ran on this thread
        await caller.LeavesWithAsync(aborted.Token);
        await called.Task.SoonAsync();
        work.SetResult(1);
    }

    [Fact]
    public Task Law04_A_failure_after_the_last_caller_has_left_raises_no_unobserved_task_event() =>
        Unobserved.AssertNoneAsync(LeaveFailuresBehindAsync, inner => inner is UnseenException || (inner as FlightTimeoutException)?.MaxDuration == s_unseen);

    [Fact]
    public async Task Law05_Work_that_ends_cancelled_before_its_leader_subscribes_causes_an_election_too()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        using var joined = new ManualResetEventSlim();
        var leader = Task.Run(async () => await singleflight.ExecuteAsync(
            Key,
            _ =>
            {
                joined.Wait(Patience.Limit);
                aborted.Cancel();
                aborted.Token.ThrowIfCancellationRequested();
                return ValueTask.FromResult(1);
            },
            aborted.Token));
        await singleflight.UntilSubscribersAsync(1);
        using var alive = new CancellationTokenSource();
        var followers = new[]
        {
            singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2), alive.Token).AsTask(),
            singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(3)).AsTask(),
        };
        joined.Set();

        await leader.LeavesWithAsync(aborted.Token);
        var results = await Task.WhenAll(followers).SoonAsync();
        Assert.Equal(results[0], results[1]);
        Assert.NotEqual(1, results[0]);
        var stats = singleflight.GetStats();
        Assert.Equal((3L, 2L, 2L, 0, 0L), (stats.Calls, stats.Flights, stats.Coalesced, stats.InFlightCount, stats.TotalSubscribers));
    }

    [Fact]
    public async Task Law07_A_flight_whose_work_blocks_before_its_first_await_expires_for_its_followers_and_its_leader()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        using var release = new ManualResetEventSlim();
        var leader = await BlockedLeader.TakeOffAsync(singleflight, Key, release);
        var follower = singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2)).AsTask();

        clock.Advance(TimeSpan.FromSeconds(30));
        var error = await follower.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(1, singleflight.GetStats().AbandonedCount);
        Assert.Equal(3, await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(3)));

        release.Set();
        Assert.Same(error, await leader.ThrowsAsync<FlightTimeoutException>());
        Assert.Equal(0, singleflight.GetStats().AbandonedCount);
    }

    [Fact]
    public async Task Law11_A_caller_with_suppressed_flow_gets_its_result()
    {
        await using var singleflight = new Singleflight();
        Task<int> caller;
        using (ExecutionContext.SuppressFlow())
        {
            caller = singleflight.ExecuteAsync(Key, async _ =>
            {
                await Task.Yield();
                return 1;
            }).AsTask();
        }

        Assert.Equal(1, await caller.SoonAsync());
    }

    [Fact]
    public async Task Law13_An_idle_engine_has_no_timer()
    {
        var clock = new TimerCountingTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        for (var round = 0; round < 10; round++)
        {
            var backend = new Backend<int>();
            var callers = Enumerable.Range(0, 20).Select(key => singleflight.ExecuteAsync($"{key}", backend.RunAsync).AsTask()).ToArray();
            Assert.InRange(clock.SetTimers, 1, 20);
            for (var key = 0; key < callers.Length; key++) (await backend.NextRunAsync()).Succeed(key);
            await Task.WhenAll(callers).SoonAsync();
            Assert.Equal(0, clock.SetTimers);
        }
    }

    [Fact]
    public async Task Law13_An_engine_that_was_never_disposed_can_be_collected()
    {
        var engine = await UseAndDropAsync();
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return !engine.IsAlive;
            },
            "the engine is collected");
    }

    [Fact]
    public async Task Law13_A_landed_call_leaves_no_registration_on_its_callers_token()
    {
        await using var singleflight = new Singleflight();
        using var longLived = new CancellationTokenSource();
        var caller = await WaitAndDropAsync(singleflight, longLived.Token);
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !caller.IsAlive;
            },
            "nothing holds the landed call, although its token lives");
    }

    [Fact]
    public async Task Law13_Disposing_from_within_the_work_throws_a_deadlock_error()
    {
        await using var singleflight = new Singleflight();
        var call = singleflight.ExecuteAsync(Key, async _ =>
        {
            await Task.Yield();
            await singleflight.DisposeAsync();
            return 1;
        }).AsTask();

        await call.ThrowsAsync<FlightDeadlockException>();
        Assert.Equal(1, await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(1)));
    }

    [Fact]
    public async Task A_ValueTask_that_is_awaited_twice_throws_and_affects_no_other_caller()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        for (var round = 0; round < 100; round++)
        {
            var backend = new Backend<int>();
            var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask();
            var misused = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
            Assert.Throws<InvalidOperationException>(() => misused.GetAwaiter().GetResult()); // too early
            (await backend.NextRunAsync()).Succeed(round);
            Assert.Equal(round, await leader.SoonAsync());
            await Patience.UntilAsync(() => misused.IsCompleted, "the call has landed");
            Assert.Equal(round, await misused);

            // The pooled source of the misused call now serves another caller, which must not be affected.
            var others = new Backend<int>();
            var another = Enumerable.Range(0, 8).Select(_ => singleflight.ExecuteAsync(Key, others.RunAsync, alive.Token).AsTask()).ToArray();
            Assert.True(misused.IsFaulted);
            Assert.Throws<InvalidOperationException>(() => misused.GetAwaiter().GetResult());
            (await others.NextRunAsync()).Succeed(-round);
            Assert.All(await Task.WhenAll(another).SoonAsync(), got => Assert.Equal(-round, got));
        }
    }

    [Fact]
    public async Task One_of_several_racing_threads_gets_the_result()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        for (var round = 0; round < 200; round++)
        {
            var backend = new Backend<int>();
            var leader = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
            var call = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
            (await backend.NextRunAsync()).Succeed(round);
            await leader.SoonAsync();
            await Patience.UntilAsync(() => call.IsCompleted, "the call has landed");

            var got = 0;
            Crowd.Run(4, _ =>
            {
                try
                {
                    Assert.Equal(round, call.GetAwaiter().GetResult());
                    Interlocked.Increment(ref got);
                }
                catch (InvalidOperationException)
                {
                    // Another thread was first.
                }
            });
            Assert.Equal(1, got);
        }
    }

    [Fact]
    public async Task Typed_keys_need_no_strings()
    {
        await using var singleflight = new Singleflight<(string PostId, int Limit)>();
        var ten = new Backend<int>();
        var hundred = new Backend<int>();
        var callers = new[]
        {
            singleflight.ExecuteAsync(("123", 10), ten.RunAsync).AsTask(),
            singleflight.ExecuteAsync(("123", 100), hundred.RunAsync).AsTask(),
            singleflight.ExecuteAsync(("123", 10), ten.RunAsync).AsTask(),
        };
        (await ten.NextRunAsync()).Succeed(10);
        (await hundred.NextRunAsync()).Succeed(100);
        Assert.Equal((IEnumerable<int>)[10, 100, 10], await Task.WhenAll(callers).SoonAsync());
    }

    [Fact]
    public async Task The_comparer_decides_which_keys_are_equal()
    {
        await using var singleflight = new Singleflight<string>(comparer: StringComparer.OrdinalIgnoreCase);
        var backend = new Backend<int>();
        var callers = new[] { "post", "POST", "Post" }.Select(key => singleflight.ExecuteAsync(key, backend.RunAsync).AsTask()).ToArray();
        (await backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(1, backend.Runs);
        Assert.False(singleflight.Forget("post"));
    }

    [Fact]
    public async Task A_throwing_comparer_affects_no_flight()
    {
        var comparer = new MoodyComparer();
        await using var singleflight = new Singleflight<string>(comparer: comparer);
        var backend = new Backend<int>();
        var caller = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();

        comparer.Throws = true;
        await Assert.ThrowsAsync<InvalidDataException>(async () => await singleflight.ExecuteAsync(Key, backend.RunAsync));
        comparer.Throws = false;

        var follower = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(caller, follower).SoonAsync());
    }

    [Fact]
    public async Task Callers_find_the_flights_of_many_keys()
    {
        const int Keys = 20_000;
        await using var singleflight = new Singleflight<int>();
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var runs = 0;
        Task<int> Call(int key) => singleflight.ExecuteAsync(key, async _ =>
        {
            Interlocked.Increment(ref runs);
            return key + await work.Task;
        }).AsTask();

        var leaders = Enumerable.Range(0, Keys).Select(Call).ToArray();
        var followers = Enumerable.Range(0, Keys).Select(Call).ToArray();
        Assert.Equal(Keys, singleflight.GetStats().InFlightCount);
        Assert.True(singleflight.Forget(Keys / 2));
        Assert.Equal(Keys, runs);
        work.SetResult(0);

        Assert.Equal(Enumerable.Range(0, Keys), await Task.WhenAll(leaders).SoonAsync());
        Assert.Equal(Enumerable.Range(0, Keys), await Task.WhenAll(followers).SoonAsync());
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task LeaveFailuresBehindAsync()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock, MaxInFlight = 1, MaxDuration = s_unseen });
        for (var i = 0; i < 10; i++)
        {
            // All callers have left when the work fails.
            using var aborted = new CancellationTokenSource();
            var backend = new Backend<int>();
            var gone = singleflight.ExecuteAsync(Key, backend.RunStubbornAsync, aborted.Token).AsTask();
            _ = singleflight.ExecuteAsync("another", backend.RunAsync); // rejected, and the task is dropped
            aborted.Cancel();
            await gone.LeavesWithAsync(aborted.Token);
            (await backend.NextRunAsync()).Fail(new UnseenException());
            await Patience.UntilAsync(() => singleflight.ExecuteAsync("slot", _ => ValueTask.FromResult(1)).IsCompletedSuccessfully, "its slot is free");

            // The call that fails and the one that times out are never awaited.
            _ = singleflight.ExecuteAsync(Key, _ => ValueTask.FromException<int>(new UnseenException()));
            var hung = new Backend<int>();
            _ = singleflight.ExecuteAsync(Key, hung.RunStubbornAsync);
            _ = singleflight.ExecuteAsync(Key, hung.RunStubbornAsync);
            clock.Advance(TimeSpan.FromMinutes(1));
            (await hung.NextRunAsync()).Fail(new UnseenException());
            await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the hung work has ended");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> UseAndDropAsync()
    {
        var singleflight = new Singleflight();
        var backend = new Backend<int>();
        var caller = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await caller.SoonAsync());
        return new WeakReference(singleflight);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> WaitAndDropAsync(Singleflight singleflight, CancellationToken token)
    {
        var state = new object();
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = singleflight.ExecuteAsync(Key, _ => work.Task).AsTask();
        _ = singleflight.ExecuteAsync(Key, state, (_, _) => new ValueTask<int>(work.Task), token); // never awaited, and so never returned to the pool
        work.SetResult(1);
        Assert.Equal(1, await leader.SoonAsync());
        return new WeakReference(state);
    }

    private sealed class UnseenException : Exception;

    private sealed class MoodyComparer : IEqualityComparer<string>
    {
        public bool Throws { get; set; }

        public bool Equals(string? x, string? y) => Throws ? throw new InvalidDataException() : x == y;

        public int GetHashCode(string obj) => 1;
    }
}
