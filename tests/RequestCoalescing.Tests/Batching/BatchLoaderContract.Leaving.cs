using System.Diagnostics;

namespace RequestCoalescing.Tests.Batching;

/// <content>Callers that leave, contexts, deadlocks and disposal.</content>
public abstract partial class BatchLoaderContract
{
    private static readonly AsyncLocal<string?> s_caller = new();

    [Fact]
    public async Task A_caller_leaves_alone_and_its_key_stays_for_the_others()
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = loader.LoadAsync(1, leaves.Token);
        var loads = await LoadAsync(loader, 1);
        await leaves.CancelAsync();
        await leaving.LeavesWithAsync(leaves.Token);
        Clock.Advance(s_window);
        (await Backend.NextAsync(1)).Succeed();
        Assert.Equal("value 1", await loads[0].SoonAsync());
    }

    [Fact]
    public async Task A_key_that_all_have_left_is_left_out_of_a_batch_that_has_not_taken_off()
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = loader.LoadAsync(1, leaves.Token);
        var loads = await LoadAsync(loader, 2);
        await leaves.CancelAsync();
        await leaving.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => loader.GetStats().Pending == 1, "the key has left");
        Clock.Advance(s_window);
        (await Backend.NextAsync(2)).Succeed();
        await loads[0].SoonAsync();
        Assert.Equal((1L, 1L), (loader.GetStats().LeftOut, loader.GetStats().Keys));
    }

    [Fact]
    public async Task A_batch_that_all_have_left_is_cancelled_and_the_next_caller_starts_another_one()
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = new[] { loader.LoadAsync(1, leaves.Token), loader.LoadAsync(2, leaves.Token) };
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        await leaves.CancelAsync();
        foreach (var load in leaving) await load.LeavesWithAsync(leaves.Token);
        await call.CancelledAsync();

        var loads = await LoadAsync(loader, 1);
        call.Succeed(); // an answer after the cancellation reaches nobody
        Clock.Advance(s_window);
        var next = await Backend.NextAsync(1);
        next.Answer.Set(1, "new");
        next.End();
        Assert.Equal("new", await loads[0].SoonAsync());
        await IdleAsync(loader);
        Assert.Equal((2L, 1L, 0L), (loader.GetStats().Calls, loader.GetStats().CancelledCalls, loader.GetStats().FailedCalls));
    }

    [Fact]
    public async Task A_batch_goes_on_while_somebody_waits_for_one_of_its_keys()
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = loader.LoadAsync(1, leaves.Token);
        var loads = await LoadAsync(loader, 2);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        await leaves.CancelAsync();
        await leaving.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => loader.Singleflight.GetStats().InFlightCount == 1, "the key has left");
        await LetPoolRunAsync();
        Assert.False(call.Token.IsCancellationRequested);
        call.Succeed();
        Assert.Equal("value 2", await loads[0].SoonAsync());
        await IdleAsync(loader);
        Assert.Equal((0L, 2L), (loader.GetStats().CancelledCalls, loader.GetStats().Found));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_batch_is_cancelled_when_each_key_has_its_answer_or_has_been_left(bool leavesFirst)
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = loader.LoadAsync(1, leaves.Token);
        var loads = await LoadAsync(loader, 2);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        if (!leavesFirst) call.Answer.Set(2, "two");
        await leaves.CancelAsync();
        await leaving.LeavesWithAsync(leaves.Token);
        if (leavesFirst) call.Answer.Set(2, "two");
        Assert.Equal("two", await loads[0].SoonAsync());
        await call.CancelledAsync();
        call.End();
    }

    [Fact]
    public async Task A_call_for_many_keys_leaves_with_its_token()
    {
        var loader = Create();
        using var leaves = new CancellationTokenSource();
        var leaving = loader.LoadManyAsync([1, 2], leaves.Token);
        var loads = await LoadAsync(loader, 2);
        await leaves.CancelAsync();
        await leaving.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => loader.GetStats().Pending == 1, "the key has left");
        Clock.Advance(s_window);
        (await Backend.NextAsync(2)).Succeed();
        await loads[0].SoonAsync();
    }

    [Fact]
    public async Task A_caller_whose_token_has_fired_does_not_enter()
    {
        var loader = Create();
        var fired = new CancellationToken(canceled: true);
        await loader.LoadAsync(1, fired).LeavesWithAsync(fired);
        await loader.LoadManyAsync([1, 2], fired).LeavesWithAsync(fired);
        Assert.Equal(0, loader.GetStats().Pending);
    }

    [Fact]
    public async Task The_backend_runs_on_the_thread_pool_and_in_no_callers_context()
    {
        var seen = new TaskCompletionSource<(string?, bool, bool)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var loader = Create((_, _, _) =>
        {
            seen.SetResult((s_caller.Value, Activity.Current is null, Thread.CurrentThread.IsThreadPoolThread));
            return Task.CompletedTask;
        });
        s_caller.Value = "a caller";
        using var activity = new Activity("a caller").Start();
        var load = loader.LoadAsync(1);
        Clock.Advance(s_window); // fires the timer on this thread
        Assert.Equal((null, true, true), await seen.Task.SoonAsync());
        await load.SoonAsync();
    }

    [Fact]
    public async Task A_backend_that_waits_for_a_key_of_its_own_call_gets_an_error_that_names_the_key()
    {
        BatchLoader<int, string> loader = null!;
        loader = Create(async (keys, answer, token) => answer.Set(1, (await loader.LoadAsync(2, token))!));
        var loads = await LoadAsync(loader, 1, 2);
        Clock.Advance(s_window);
        foreach (var load in loads) Assert.Contains(2, (await load.ThrowsAsync<FlightDeadlockException>()).Keys);
    }

    [Fact]
    public async Task A_deadlock_across_two_loaders_and_an_engine_is_found()
    {
        await using var engine = new Singleflight<string>(new SingleflightOptions { TimeProvider = Clock });
        BatchLoader<int, string> one = null!;
        BatchLoader<int, string> other = null!;
        one = Create(async (_, answer, token) => answer.Set(1, (await other.LoadAsync(7, token))!), options => options.Window = TimeSpan.Zero);
        other = Create(async (_, answer, token) => answer.Set(7, await engine.ExecuteAsync("a", async flight => (await one.LoadAsync(1, flight))!, token)), options => options.Window = TimeSpan.Zero);
        await one.LoadAsync(1).ThrowsAsync<FlightDeadlockException>();
    }

    [Fact]
    public async Task A_backend_may_load_other_keys()
    {
        BatchLoader<int, string> loader = null!;
        loader = Create(
            async (keys, answer, token) =>
            {
                foreach (var key in keys) answer.Set(key, key < 10 ? $"{key} of {await loader.LoadAsync(key + 10, token)}" : $"parent {key}");
            },
            options => options.Window = TimeSpan.Zero);
        Assert.Equal(["1 of parent 11", "2 of parent 12"], (await loader.LoadManyAsync([1, 2]).SoonAsync()).Select(outcome => outcome.Value));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Disposal_refuses_waiting_keys_cancels_the_batches_that_run_and_waits_for_them(bool returnsQuietly)
    {
        var loader = Create(options => options.MaxBatchSize = 2);
        var running = await LoadAsync(loader, 1, 2);
        var call = await Backend.NextAsync(1, 2);
        var waiting = await LoadAsync(loader, 3);
        var disposal = loader.DisposeAsync().AsTask();
        await waiting[0].ThrowsAsync<ObjectDisposedException>();
        await call.CancelledAsync();
        await loader.LoadAsync(4).ThrowsAsync<ObjectDisposedException>();
        Assert.IsType<ObjectDisposedException>((await loader.LoadManyAsync([4]).SoonAsync())[0].Error);
        Assert.False(disposal.IsCompleted);

        if (returnsQuietly) call.End(); // a key without an answer is not missing then
        else call.Fail(new OperationCanceledException(call.Token));
        await disposal.SoonAsync();
        foreach (var load in running) await load.ThrowsAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Disposal_gives_up_a_backend_that_does_not_end()
    {
        var loader = Create(options => options.Window = TimeSpan.Zero);
        var load = loader.LoadAsync(1);
        var call = await Backend.NextAsync(1);
        var disposal = loader.DisposeAsync().AsTask();
        await call.CancelledAsync();
        Assert.False(disposal.IsCompleted);
        await Patience.UntilAsync(
            () =>
            {
                Clock.Advance(s_maxDuration);
                return disposal.IsCompleted;
            },
            "the disposal has given up");
        await load.ThrowsAsync<FlightTimeoutException>();
        call.End();
    }
}
