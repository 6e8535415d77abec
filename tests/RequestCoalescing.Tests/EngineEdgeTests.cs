using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>The engine with unusual tokens, contexts, clocks and awaits.</summary>
public sealed class EngineEdgeTests
{
    private const string Key = "post:12345";

    [Fact]
    public async Task A_synchronization_context_that_accepts_no_work_loses_only_its_own_caller()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        using var alive = new CancellationTokenSource();
        var backend = new Backend<int>();
        var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask();
        await new DeadContext().AwaitUnderAsync(() => singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token));
        var others = Enumerable.Range(0, 3).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask()).ToArray();
        var run = await backend.NextRunAsync();
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.All(await Task.WhenAll(others).SoonAsync(), got => Assert.Equal(1, got));

        await new DeadContext().AwaitUnderAsync(() => singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token));
        run = await backend.NextRunAsync();
        aborted.Cancel();
        await run.CancelledAsync();
    }

    [Fact]
    public async Task A_context_that_blocks_when_its_caller_leaves_at_an_election_holds_up_no_other_caller()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        using var alive = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>();
        var leader = singleflight.ExecuteAsync(Key, _ => work.Task, aborted.Token).AsTask();
        var stays = singleflight.ExecuteAsync(Key, static _ => ValueTask.FromResult(3), alive.Token).AsTask();
        var isDone = new TaskCompletionSource<bool>();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            singleflight.ExecuteAsync(Key, static _ => ValueTask.FromResult(2), aborted.Token).GetAwaiter().OnCompleted(() => isDone.SetResult(stays.Wait(Patience.Limit)));
        });
        await using var endsFirst = aborted.Token.Register(() => work.SetCanceled(aborted.Token)); // before the engine's own callbacks, which are older
        var aborts = Task.Run(aborted.Cancel);
        Assert.True(await isDone.Task, "A caller that stays waits for one that leaves.");
        await aborts.SoonAsync();
        await leader.LeavesWithAsync(aborted.Token);
    }

    [Fact]
    public async Task A_context_that_blocks_when_the_last_caller_leaves_does_not_hold_up_the_cancellation_of_the_work()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        var flight = default(CancellationToken);
        var isDone = new TaskCompletionSource<bool>();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            singleflight.ExecuteAsync(Key, WorkAsync, aborted.Token).GetAwaiter().OnCompleted(() => isDone.SetResult(flight.WaitHandle.WaitOne(Patience.Limit)));
        });
        aborted.Cancel();
        Assert.True(await isDone.Task, "The work is cancelled only after the caller has gone on.");

        async Task<int> WorkAsync(CancellationToken token)
        {
            flight = token;
            await Task.Delay(Timeout.Infinite, token).ConfigureAwait(false);
            return 1;
        }
    }

    [Fact]
    public async Task Work_that_returns_a_failed_call_fails_its_flight_and_frees_the_key()
    {
        await using var singleflight = new Singleflight(new SingleflightOptions { MaxInFlight = 2 });
        var backend = new Backend<int>();
        var outer = singleflight.ExecuteAsync("outer", _ =>
        {
            var inner = singleflight.ExecuteAsync("inner", backend.RunAsync);
            backend.NextRunAsync().GetAwaiter().GetResult().Fail(new InvalidDataException());
            Assert.True(SpinWait.SpinUntil(() => inner.IsCompleted, Patience.Limit));
            return inner;
        }).AsTask();

        await outer.ThrowsAsync<InvalidDataException>();
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
        Assert.Equal(1, await singleflight.ExecuteAsync("outer", _ => ValueTask.FromResult(1)));
    }

    [Fact]
    public async Task The_task_of_a_call_has_the_status_of_its_outcome()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        foreach (var token in new[] { default, alive.Token })
        {
            var cancelled = new TaskCompletionSource<int>();
            var failed = new TaskCompletionSource<int>();
            var calls = new[] { cancelled, failed }.SelectMany((work, key) => new[]
            {
                singleflight.ExecuteAsync($"{key}", _ => work.Task, token),
                singleflight.ExecuteAsync($"{key}", _ => work.Task, token),
            }).ToArray();
            cancelled.SetCanceled();
            failed.SetException(new InvalidDataException());

            Assert.True(calls[0].IsCanceled && calls[1].IsCanceled && calls[2].IsFaulted && calls[3].IsFaulted);
            foreach (var call in calls) await Assert.ThrowsAnyAsync<Exception>(async () => await call);
        }
    }

    [Fact]
    public async Task A_caller_whose_token_fires_while_it_subscribes_leaves_and_does_not_lead()
    {
        var comparer = new HookedComparer();
        await using var singleflight = new Singleflight<string>(comparer: comparer);
        using var aborted = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = singleflight.ExecuteAsync(Key, _ => work.Task, aborted.Token).AsTask();
        comparer.Hook = () =>
        {
            // The gate is held. The work ends cancelled and the token fires, but the engine can react to neither yet.
            work.SetCanceled(aborted.Token);
            using var firing = new ManualResetEventSlim();
            aborted.Token.UnsafeRegister(static firing => ((ManualResetEventSlim)firing!).Set(), firing);
            _ = Task.Run(aborted.Cancel);
            firing.Wait(Patience.Limit);
        };
        var hasLed = false;
        var follower = singleflight.ExecuteAsync(
            Key,
            _ =>
            {
                hasLed = true;
                return new TaskCompletionSource<int>().Task;
            },
            aborted.Token).AsTask();

        await leader.LeavesWithAsync(aborted.Token);
        await follower.LeavesWithAsync(aborted.Token);
        Assert.False(hasLed);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task A_flight_that_has_no_timer_yet_cannot_be_joined_after_MaxDuration()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        using var release = new ManualResetEventSlim();
        var leader = await BlockedLeader.TakeOffAsync(singleflight, Key, release);
        clock.Advance(TimeSpan.FromMinutes(10));

        Assert.Equal(2, await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2)));

        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, singleflight.GetStats().AbandonedCount);
        release.Set();
        await leader.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(0, singleflight.GetStats().AbandonedCount);
    }

    [Fact]
    public async Task A_call_that_work_awaits_twice_causes_no_false_deadlock_for_other_callers()
    {
        await using var singleflight = new Singleflight();
        var inner = new Backend<int>();
        var misused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var a = singleflight.ExecuteAsync("a", async _ =>
        {
            var wait = singleflight.ExecuteAsync("b", inner.RunAsync);
            var task = wait.AsTask();
            await wait.AsTask().ThrowsAsync<InvalidOperationException>();
            (await inner.NextRunAsync()).Succeed(1);
            await task;
            misused.SetResult();
            return await end.Task;
        }).AsTask();
        await misused.Task.SoonAsync();

        // The pooled wait now serves unrelated callers. Their work waits for a, which waits for no flight.
        var unrelated = Enumerable.Range(0, 4).Select(key => singleflight.ExecuteAsync($"{key}", async _ =>
        {
            await Task.Yield();
            return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(-1));
        }).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(9);
        end.SetResult(7);

        Assert.Equal(7, await a.SoonAsync());
        Assert.All(await Task.WhenAll(unrelated).SoonAsync(), got => Assert.Equal(7, got));
    }

    [Fact]
    public async Task Calls_that_work_starts_under_suppressed_flow_do_not_count_as_its_own()
    {
        await using var singleflight = new Singleflight();
        var backend = new Backend<int>();
        Task<int>? background = null;
        async Task<int> RefreshAsync() => await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(-1));

        var call = singleflight.ExecuteAsync(Key, flight =>
        {
            using (ExecutionContext.SuppressFlow()) background = RefreshAsync();
            return backend.RunAsync(flight);
        }).AsTask();
        (await backend.NextRunAsync()).Succeed(1);

        Assert.Equal(1, await call.SoonAsync());
        Assert.Equal(1, await background!.SoonAsync());
    }

    [Fact]
    public async Task Work_of_a_caller_with_suppressed_flow_leaks_nothing_and_gets_a_deadlock_error()
    {
        await using var singleflight = new Singleflight();
        var ambient = new AsyncLocal<string?>();
        Task<int> call;
        using (ExecutionContext.SuppressFlow())
        {
            call = singleflight.ExecuteAsync(Key, async _ =>
            {
                ambient.Value = "work";
                await Task.Yield();
                return await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(1));
            }).AsTask();
            Assert.Null(ambient.Value);
        }

        await call.ThrowsAsync<FlightDeadlockException>();
    }

    [Fact]
    public async Task A_flight_does_not_continue_in_its_leaders_synchronization_context()
    {
        await using var singleflight = new Singleflight();
        var context = new DeafContext();
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await context.AwaitUnderAsync(() => singleflight.ExecuteAsync(Key, async _ =>
        {
            Assert.Null(SynchronizationContext.Current);
            return await work.Task;
        }));
        var follower = singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(-1)).AsTask();
        work.SetResult(1);

        Assert.Equal(1, await follower.SoonAsync());
        await Patience.UntilAsync(() => context.Posts == 1, "only the leader has resumed there");
    }

    [Fact]
    public async Task Work_in_an_engine_without_detection_is_not_mistaken_for_the_outer_work()
    {
        await using var detecting = new Singleflight();
        await using var trusting = new Singleflight(new SingleflightOptions { DetectDeadlocks = false });
        using var givesUp = new CancellationTokenSource();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var outer = detecting.ExecuteAsync("outer", async _ =>
        {
            var inner = trusting.ExecuteAsync(
                "inner",
                async _ =>
                {
                    started.SetResult();
                    await goOn.Task;
                    return await detecting.ExecuteAsync("outer", _ => ValueTask.FromResult(-1));
                },
                givesUp.Token);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await inner);
            return await end.Task;
        }).AsTask();
        await started.Task.SoonAsync();
        var another = trusting.ExecuteAsync("inner", _ => ValueTask.FromResult(-1)).AsTask();
        givesUp.Cancel();
        goOn.SetResult();
        await detecting.UntilSubscribersAsync(2);
        end.SetResult(1);

        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(outer, another).SoonAsync());
    }

    [Fact]
    public async Task A_background_task_of_cancelled_work_can_dispose_the_engine_after_the_work_has_ended()
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxInFlight = 1 });
        using var aborted = new CancellationTokenSource();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var backend = new Backend<int>();
        Task? left = null;
        async Task DisposeLaterAsync()
        {
            await goOn.Task;
            await singleflight.DisposeAsync();
        }

        var gone = singleflight.ExecuteAsync(
            Key,
            flight =>
            {
                left = DisposeLaterAsync();
                return backend.RunStubbornAsync(flight);
            },
            aborted.Token).AsTask();
        aborted.Cancel();
        await gone.LeavesWithAsync(aborted.Token);
        (await backend.NextRunAsync()).Succeed(1);
        await Patience.UntilAsync(() => singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(1)).IsCompletedSuccessfully, "the work has ended");
        goOn.SetResult();
        await left!.SoonAsync();
    }

    [Fact]
    public async Task A_clock_that_fires_its_timers_during_a_reading_loses_no_caller()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock, JoinWindow = TimeSpan.FromSeconds(20) });
        var backend = new Backend<int>();
        var leader = singleflight.ExecuteAsync(Key, backend.RunStubbornAsync).AsTask();
        clock.AutoAdvanceAmount = TimeSpan.FromSeconds(31);
        var late = singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2)).AsTask();
        clock.AutoAdvanceAmount = TimeSpan.Zero;

        await leader.ThrowsAsync<FlightTimeoutException>();
        await late.ThrowsAsync<FlightTimeoutException>(); // it joined because its reading of the clock was before the expiry
        (await backend.NextRunAsync()).Succeed(1);
        await Patience.UntilAsync(() => singleflight.GetStats() is { InFlightCount: 0, AbandonedCount: 0 }, "all has ended");
    }

    [Fact]
    public async Task A_clock_that_cannot_create_a_timer_fails_the_call_and_leaves_nothing_behind()
    {
        var clock = new FailingTimeProvider { Fails = true };
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        var backend = new Backend<int>();
        await Assert.ThrowsAsync<InvalidDataException>(async () => await singleflight.ExecuteAsync(Key, backend.RunAsync));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await singleflight.ExecuteAsync(Key, backend.RunAsync));
        clock.Fails = false;

        var follower = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await follower.SoonAsync());
        await Patience.UntilAsync(() => singleflight.GetStats() is { InFlightCount: 0, TotalSubscribers: 0 }, "all has ended");
    }

    [Fact]
    public async Task Disposing_an_idle_engine_disposes_its_timers()
    {
        var clock = new FailingTimeProvider();
        var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        (await backend.NextRunAsync()).Succeed(1);
        await call.SoonAsync();
        Assert.Equal(1, clock.LiveTimers);
        await singleflight.DisposeAsync();
        Assert.Equal(0, clock.LiveTimers);
    }

    private sealed class DeafContext : SynchronizationContext
    {
        private int _posts;

        public int Posts => Volatile.Read(ref _posts);

        public override void Post(SendOrPostCallback d, object? state) => Interlocked.Increment(ref _posts);
    }
}
