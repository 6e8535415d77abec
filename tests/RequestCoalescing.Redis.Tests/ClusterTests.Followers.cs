namespace RequestCoalescing.Redis.Tests;

/// <content>Callers that join their node's flight. A caller that may have come after a forget of another node calls again when the flight lands.</content>
public abstract partial class ClusterTests
{
    private static readonly AsyncLocal<string?> s_local = new();

    public enum WorkEnd
    {
        Result,
        Error,
        Cancellation,
    }

    [Theory]
    [InlineData(WorkEnd.Result)]
    [InlineData(WorkEnd.Error)]
    [InlineData(WorkEnd.Cancellation)] // for example the timeout of an HttpClient
    public async Task Callers_without_a_token_that_may_have_come_after_a_forget_share_another_run(WorkEnd end)
    {
        var (old, before, unsure) = await ForgottenFlightAsync(10, JoinWith(_ => default));
        await LandAsync(old, before, end);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(2); // the first caller joins by itself, and those after it as one
        Assert.DoesNotContain(unsure, call => call.IsCompleted);
        fresh.Succeed(2);
        Assert.All(await Task.WhenAll(unsure).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Theory]
    [InlineData(WorkEnd.Result)]
    [InlineData(WorkEnd.Error)]
    [InlineData(WorkEnd.Cancellation)]
    public async Task Callers_with_a_token_that_may_have_come_after_a_forget_share_another_run(WorkEnd end)
    {
        using var stays = new CancellationTokenSource();
        var (old, before, unsure) = await ForgottenFlightAsync(10, JoinWith(_ => stays.Token));
        await LandAsync(old, before, end);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(10);
        Assert.DoesNotContain(unsure, call => call.IsCompleted);
        fresh.Succeed(2);
        Assert.All(await Task.WhenAll(unsure).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task The_work_of_a_caller_that_calls_again_sees_the_async_locals_of_the_call(bool hasToken, bool suppressesFlow)
    {
        using var stays = new CancellationTokenSource();
        var seen = new TaskCompletionSource<string?>();
        var (old, _, calls) = await ForgottenFlightAsync(1, (_, _) => CallAsync());
        old.Succeed(1);
        Assert.Equal(3, await calls[0].SoonAsync());
        Assert.Equal(suppressesFlow ? null : "the caller's", await seen.Task.SoonAsync());

        async Task<int> CallAsync()
        {
            s_local.Value = "the caller's";
            ValueTask<int> call;
            if (suppressesFlow)
            {
                using (ExecutionContext.SuppressFlow()) call = Begin();
            }
            else
            {
                call = Begin();
            }

            s_local.Value = "after the call";
            return await call;
        }

        ValueTask<int> Begin() => _nodes[0].ExecuteAsync(
            Key,
            _ =>
            {
                seen.SetResult(s_local.Value);
                return ValueTask.FromResult(3);
            },
            hasToken ? stays.Token : default);
    }

    [Fact]
    public async Task A_caller_that_waits_for_another_run_can_leave_it()
    {
        using var leaves = new CancellationTokenSource();
        using var stays = new CancellationTokenSource();
        var (old, _, unsure) = await ForgottenFlightAsync(2, JoinWith(caller => caller == 0 ? leaves.Token : stays.Token));
        old.Succeed(1);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(2);
        await leaves.CancelAsync();
        await unsure[0].LeavesWithAsync(leaves.Token);
        await _nodes[0].UntilSubscribersAsync(1);
        fresh.Succeed(2);
        Assert.Equal(2, await unsure[1].SoonAsync());
    }

    [Fact]
    public async Task A_caller_that_waits_for_another_run_gets_its_error()
    {
        using var stays = new CancellationTokenSource();
        var (old, _, unsure) = await ForgottenFlightAsync(2, JoinWith(_ => stays.Token));
        old.Succeed(1);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(2);
        fresh.Fail(new InvalidTimeZoneException("fresh"));
        foreach (var call in unsure) Assert.Equal("fresh", (await call.ThrowsAsync<InvalidTimeZoneException>()).Message);
    }

    [Fact]
    public async Task A_caller_that_would_call_again_while_its_node_is_disposed_gets_an_error()
    {
        using var stays = new CancellationTokenSource();
        var (old, _, unsure) = await ForgottenFlightAsync(2, JoinWith(_ => stays.Token));
        var disposal = _nodes[0].DisposeAsync().AsTask();
        old.Succeed(1);
        foreach (var call in unsure) await call.ThrowsAsync<ObjectDisposedException>();
        await disposal.SoonAsync();
    }

    [Fact]
    public async Task A_caller_that_joins_while_the_end_of_the_work_is_noted_may_have_come_after_a_forget()
    {
        var clock = new PausingClock();
        var nodes = await NodesAsync(2, options => (options.LeaseDuration, options.TimeProvider) = (TimeSpan.FromSeconds(3), clock));
        var work = new TaskCompletionSource<int>(); // the thread that completes it publishes the outcome
        var began = new TaskCompletionSource<FlightContext>(TaskCreationOptions.RunContinuationsAsynchronously);
        var before = nodes[0].ExecuteAsync(
            Key,
            flight =>
            {
                began.SetResult(flight);
                return new ValueTask<int>(work.Task);
            }).AsTask();
        var old = await began.Task.SoonAsync();
        _ = Join(); // the first caller without a token joins in another way than those after it
        var end = Task.Run(() =>
        {
            clock.PauseThisThread();
            work.SetResult(1);
        });
        await clock.Paused.SoonAsync(); // it has read the time, and has noted nothing yet
        await HeartbeatAsync(clock);
        await HeartbeatAsync(clock);
        clock.Advance(TimeSpan.FromMilliseconds(1));
        var unsure = Join();
        await nodes[1].ForgetAsync(Key);
        await Patience.UntilAsync(() => !old.IsCurrent, "the leader has received the forget");
        clock.Resume();
        await end.SoonAsync();
        Assert.Equal(1, await before.SoonAsync());
        var fresh = await _backend.NextRunAsync();
        await nodes[0].UntilSubscribersAsync(1);
        Assert.False(unsure.IsCompleted);
        fresh.Succeed(2);
        Assert.Equal(2, await unsure.SoonAsync());

        Task<int> Join() => nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_deadlock_through_a_second_call_is_found(bool suppressesFlow)
    {
        using var stays = new CancellationTokenSource();
        var (old, _, calls) = await ForgottenFlightAsync(1, (_, _) => OtherAsync(), subscribers: 3); // the call has joined before the forget
        old.Succeed(1);
        await calls[0].ThrowsAsync<FlightDeadlockException>();

        // The work for another key awaits a call for the key that begins outside of the work, or without the context of the work.
        async Task<int> OtherAsync()
        {
            var call = suppressesFlow ? default : Begin();
            return await _nodes[0].ExecuteAsync("other", async _ =>
            {
                if (suppressesFlow)
                {
                    using (ExecutionContext.SuppressFlow()) call = Begin();
                }

                return await call;
            });
        }

        ValueTask<int> Begin() => _nodes[0].ExecuteAsync(Key, async _ => await _nodes[0].ExecuteAsync("other", static _ => ValueTask.FromResult(0)), stays.Token);
    }

    [Fact]
    public async Task A_deadlock_through_a_second_call_is_found_if_the_call_is_awaited_late()
    {
        using var stays = new CancellationTokenSource();
        var awaits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (old, before, calls) = await ForgottenFlightAsync(1, (_, _) => OtherAsync());
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        await Patience.UntilAsync(() => _nodes[0].GetStats().InFlightCount == 1, "only the other flight is in the air, as the call is not made again before it is awaited");
        awaits.SetResult();
        await calls[0].ThrowsAsync<FlightDeadlockException>();

        async Task<int> OtherAsync()
        {
            var call = _nodes[0].ExecuteAsync(Key, async _ => await _nodes[0].ExecuteAsync("other", static _ => ValueTask.FromResult(0)), stays.Token);
            return await _nodes[0].ExecuteAsync("other", async _ =>
            {
                await awaits.Task;
                return await call;
            });
        }
    }

    [Fact]
    public async Task A_call_that_is_polled_is_made_again()
    {
        using var stays = new CancellationTokenSource();
        ValueTask<int> call = default;
        var (old, _, _) = await ForgottenFlightAsync(1, (node, _) =>
        {
            call = node.ExecuteAsync(Key, _backend.RunAsync, stays.Token);
            return Task.FromResult(0);
        });
        old.Succeed(1);
        await Patience.UntilAsync(() => !call.IsCompleted && _backend.Runs == 2, "the call has been made again");
        (await _backend.NextRunAsync()).Succeed(2);
        await Patience.UntilAsync(() => call.IsCompleted, "the call is over");
        Assert.Equal(2, await call);
    }

    [Fact]
    public async Task A_call_that_is_awaited_after_the_landing_is_made_again()
    {
        using var stays = new CancellationTokenSource();
        ValueTask<int> late = default;
        var (old, _, calls) = await ForgottenFlightAsync(2, (node, caller) =>
        {
            var call = node.ExecuteAsync(Key, _backend.RunAsync, stays.Token);
            if (caller == 0) return call.AsTask();
            late = call;
            return Task.FromResult(0);
        });
        old.Succeed(1);
        var fresh = await _backend.NextRunAsync(); // of the call that is awaited already
        var resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        late.GetAwaiter().UnsafeOnCompleted(resumed.SetResult); // it does not look at the status first, as an await does
        await _nodes[0].UntilSubscribersAsync(2);
        fresh.Succeed(2);
        await resumed.Task.SoonAsync();
        Assert.True(late.IsCompletedSuccessfully);
        Assert.Equal(2, await calls[0].SoonAsync());
    }

    // Callers from before the forget get the old outcome.
    private static async Task LandAsync(BackendRun<int> run, Task<int> before, WorkEnd end)
    {
        if (end == WorkEnd.Result)
        {
            run.Succeed(1);
            Assert.Equal(1, await before.SoonAsync());
            return;
        }

        Exception error = end == WorkEnd.Error ? new InvalidTimeZoneException("too old") : new TaskCanceledException("too old");
        run.Fail(error);
        Assert.Same(error, await Assert.ThrowsAnyAsync<Exception>(() => before.SoonAsync()));
    }

    private Func<RedisSingleflight, int, Task<int>> JoinWith(Func<int, CancellationToken> tokenOf) => (node, caller) => node.ExecuteAsync(Key, _backend.RunAsync, tokenOf(caller)).AsTask();

    // The first node leads. Callers join it, and another node forgets the key before the next heartbeat.
    private async Task<(BackendRun<int> Run, Task<int> Before, Task<int>[] Unsure)> ForgottenFlightAsync(int callers, Func<RedisSingleflight, int, Task<int>> join, int? subscribers = null)
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        var before = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var run = await _backend.NextRunAsync();
        var unsure = Enumerable.Range(0, callers).Select(caller => join(nodes[0], caller)).ToArray();
        if (subscribers is { } count) await nodes[0].UntilSubscribersAsync(count);
        await nodes[1].ForgetAsync(Key);
        await Patience.UntilAsync(() => !run.Flight.IsCurrent, "the leader has received the forget");
        return (run, before, unsure);
    }
}
