namespace RequestCoalescing.Peers.Tests;

/// <summary>The tokens of all callers fire.</summary>
public sealed class AllLeaveTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public Task Singleflight_cancels_the_work_when_the_last_caller_has_left()
    {
        var singleflight = new Singleflight();
        return TheWorkIsCancelledAsync(token => singleflight.CallAsync(_backend.RunAsync, token));
    }

    [Fact]
    public Task HybridCache_cancels_the_work_when_the_last_caller_has_left()
    {
        var cache = NewHybridCache();
        return TheWorkIsCancelledAsync(token => cache.CoalesceAsync(_backend.RunAsync, token));
    }

    [Fact]
    public Task FusionCache_cancels_the_work_when_all_callers_have_left()
    {
        var cache = NewFusionCache();
        return TheWorkIsCancelledAsync(token => cache.CallAsync(_backend.RunAsync, token));
    }

    [Fact]
    public async Task LazyTasks_go_on_with_the_work_when_all_callers_have_left()
    {
        var tasks = new LazyTasks<int>();
        using var aborted = new CancellationTokenSource();
        var caller = tasks.CallAsync(_backend, aborted.Token);
        var run = await _backend.NextRunAsync();
        await aborted.CancelAsync();
        await caller.LeavesWithAsync(aborted.Token);

        Assert.False(run.Token.CanBeCanceled);
        var next = tasks.CallAsync(_backend);
        run.Succeed(1);
        Assert.Equal(1, await next.SoonAsync());
    }

    [Fact]
    public async Task Singleflight_keeps_the_newer_run_when_cancelled_work_ends_late()
    {
        var singleflight = new Singleflight();
        Assert.Equal(2, await ThirdCallerAfterCancelledWorkEndsLateAsync(singleflight.CallAsync, () => Patience.UntilAsync(
            () => singleflight.GetStats() is { AbandonedCount: 0, InFlightCount: 1 }, "the cancelled work has ended")));
    }

    [Fact]
    public async Task HybridCache_loses_the_newer_run_when_cancelled_work_ends_late_and_the_next_caller_starts_a_third()
    {
        var cache = NewHybridCache();
        Assert.Equal(3, await ThirdCallerAfterCancelledWorkEndsLateAsync(cache.CoalesceAsync, () => Task.CompletedTask));
    }

    private async Task TheWorkIsCancelledAsync(Func<CancellationToken, Task<int>> call)
    {
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var leader = call(first.Token);
        var run = await _backend.NextRunAsync();
        var follower = call(second.Token);

        await second.CancelAsync();
        await follower.LeavesWithAsync(second.Token);
        Assert.False(run.Token.IsCancellationRequested);
        await first.CancelAsync();
        await leader.LeavesWithAsync(first.Token);
        await run.CancelledAsync();
    }

    /// <summary>
    /// A caller leaves, so that its run is cancelled; a second caller starts a run; the first run ends; a third caller comes while the
    /// second run is in flight.
    /// </summary>
    private static async Task<int> ThirdCallerAfterCancelledWorkEndsLateAsync(
        Func<Func<CancellationToken, ValueTask<int>>, CancellationToken, Task<int>> call, Func<Task> settled)
    {
        var backend = new Backend<int>();
        var cancelled = new InlineCompletion<int>();
        using var aborted = new CancellationTokenSource();
        var gone = call(_ => cancelled.Task, aborted.Token);
        await cancelled.Awaited.SoonAsync();
        await aborted.CancelAsync();
        await gone.LeavesWithAsync(aborted.Token);

        var second = call(backend.RunAsync, default);
        var run = await backend.NextRunAsync();
        cancelled.SetResult(1);
        await settled();
        var third = call(_ => ValueTask.FromResult(3), default);
        run.Succeed(2);

        Assert.Equal(2, await second.SoonAsync());
        return await third.SoonAsync();
    }
}
