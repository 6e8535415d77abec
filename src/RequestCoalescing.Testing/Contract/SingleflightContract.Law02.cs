namespace RequestCoalescing.Testing;

// 2. A flight belongs to no caller: a caller that leaves does not affect the others.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law02_When_the_leader_leaves_the_other_callers_still_get_the_result()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token).AsTask();
        var run = await backend.NextRunAsync();
        var followers = await WaitingCallersAsync(singleflight, 3, backend.RunAsync);
        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        Assert.NotEqual(aborted.Token, run.Token);
        Assert.False(run.Token.IsCancellationRequested);
        await singleflight.UntilSubscribersAsync(3);
        run.Succeed(7);
        Assert.All(await Task.WhenAll(followers).SoonAsync(), got => Assert.Equal(7, got));
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law02_The_only_caller_that_stays_gets_the_result()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        var leaving = Enumerable.Range(0, 20).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token).AsTask()).ToArray();
        var staying = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        var run = await backend.NextRunAsync();
        await aborted.CancelAsync();

        foreach (var caller in leaving) await caller.LeavesWithAsync(aborted.Token);
        Assert.False(run.Token.IsCancellationRequested);
        run.Succeed(7);
        Assert.Equal(7, await staying.SoonAsync());
    }

    [Fact]
    public async Task Law02_The_work_is_cancelled_when_the_last_caller_leaves()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();

        var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, first.Token).AsTask();
        var follower = singleflight.ExecuteAsync(Key, backend.RunAsync, second.Token).AsTask();
        var run = await backend.NextRunAsync();
        await singleflight.UntilSubscribersAsync(2);

        await first.CancelAsync();
        await leader.LeavesWithAsync(first.Token);
        Assert.False(run.Token.IsCancellationRequested);

        await second.CancelAsync();
        await follower.LeavesWithAsync(second.Token);
        await run.CancelledAsync();
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
    }

    [Fact]
    public async Task Law02_A_caller_leaves_at_once_even_if_the_work_ignores_its_token()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        var caller = singleflight.ExecuteAsync(Key, backend.RunStubbornAsync, aborted.Token).AsTask();
        var run = await backend.NextRunAsync();
        await singleflight.UntilSubscribersAsync(1);
        await aborted.CancelAsync();

        await caller.LeavesWithAsync(aborted.Token);
        Assert.False(run.Completion.IsCompleted);
        run.Succeed(1);
    }

    [Fact]
    public async Task Law02_A_call_whose_token_has_already_fired_starts_no_flight()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var fired = new CancellationToken(canceled: true);

        await singleflight.ExecuteAsync(Key, backend.RunAsync, fired).AsTask().LeavesWithAsync(fired);

        Assert.Equal(0, backend.Runs);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Law02_A_caller_whose_cancellation_races_the_outcome_gets_one_of_the_two()
    {
        var singleflight = Create();
        for (var round = 0; round < 300; round++)
        {
            var backend = new Backend<int>();
            using var aborted = new CancellationTokenSource();
            var staying = await WaitingCallersAsync(singleflight, 1, backend.RunAsync);
            var leaving = Enumerable.Range(0, 4).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token).AsTask()).ToArray();
            var run = await backend.NextRunAsync();
            await singleflight.UntilSubscribersAsync(5);

            Crowd.Run(2, thread =>
            {
                if (thread == 0) run.Succeed(round);
                else aborted.Cancel();
            });

            Assert.Equal(round, await staying[0].SoonAsync());
            foreach (var caller in leaving)
            {
                await ((Task)caller.SoonAsync()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (caller.IsCompletedSuccessfully) Assert.Equal(round, await caller);
                else await caller.LeavesWithAsync(aborted.Token);
            }

            Assert.Equal(1, backend.Runs);
        }
    }
}
