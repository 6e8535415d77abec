namespace RequestCoalescing.Tests.Batching;

/// <content>When a batch takes off, and with which keys.</content>
public abstract partial class BatchLoaderContract
{
    [Fact]
    public async Task Keys_that_come_within_the_window_are_one_call()
    {
        var loader = Create();
        var first = await LoadAsync(loader, 1, 2);
        Clock.Advance(s_window / 2);
        var second = await LoadAsync(loader, 3);
        await LetPoolRunAsync();
        Assert.Equal((0, 3), (Backend.Calls, loader.GetStats().Pending));

        Clock.Advance(s_window / 2);
        (await Backend.NextAsync(1, 2, 3)).Succeed();
        Assert.Equal(["value 1", "value 2", "value 3"], await Task.WhenAll([.. first, .. second]).SoonAsync());
        Assert.Equal((1, 3L), (Backend.Calls, loader.GetStats().Found));
    }

    [Fact]
    public async Task A_full_batch_takes_off_before_its_window_is_over_and_the_rest_waits_for_its_own()
    {
        var loader = Create(options => options.MaxBatchSize = 2);
        var loads = await LoadAsync(loader, 1, 2, 3);
        (await Backend.NextAsync(1, 2)).Succeed();
        await Task.WhenAll(loads[..2]).SoonAsync();
        await LetPoolRunAsync();
        Assert.Equal((1, 1), (Backend.Calls, loader.GetStats().Pending));

        Clock.Advance(s_window);
        (await Backend.NextAsync(3)).Succeed();
        await loads[2].SoonAsync();
    }

    [Fact]
    public async Task A_window_of_zero_needs_no_clock()
    {
        var loader = Create(options => options.Window = TimeSpan.Zero);
        var load = loader.LoadAsync(1);
        (await Backend.NextAsync(1)).Succeed();
        Assert.Equal("value 1", await load.SoonAsync());
    }

    [Fact]
    public async Task With_one_batch_at_a_time_and_no_window_a_batch_takes_off_as_soon_as_the_previous_one_has_returned()
    {
        var loader = Create(options => (options.Window, options.MaxConcurrentBatches) = (TimeSpan.Zero, 1));
        var loads = await LoadAsync(loader, 1);
        var first = await Backend.NextAsync(1);
        loads = [.. loads, .. await LoadAsync(loader, 2, 3, 4)];
        await LetPoolRunAsync();
        Assert.Equal((1, 3), (Backend.Calls, loader.GetStats().Pending));

        first.Succeed();
        (await Backend.NextAsync(2, 3, 4)).Succeed();
        await Task.WhenAll(loads).SoonAsync();
    }

    [Fact]
    public async Task No_more_batches_run_at_a_time_than_the_limit_and_a_batch_counts_until_it_has_really_ended()
    {
        var loader = Create(options => (options.MaxBatchSize, options.MaxConcurrentBatches) = (1, 2));
        var loads = await LoadAsync(loader, 1, 2, 3);
        var first = await Backend.NextAsync();
        var second = await Backend.NextAsync();
        Assert.Equal([1, 2], new[] { first.Keys[0], second.Keys[0] }.Order());

        Clock.Advance(s_maxDuration); // all callers get a timeout, and the backend ignores its token
        await Task.WhenAll(loads.Select(load => load.ThrowsAsync<FlightTimeoutException>()));
        await first.CancelledAsync();
        var next = await LoadAsync(loader, 4);
        Clock.Advance(s_window);
        await LetPoolRunAsync();
        Assert.Equal((2, 2, 1), (Backend.Calls, loader.GetStats().Running, loader.GetStats().Pending));

        first.End();
        (await Backend.NextAsync(4)).Succeed();
        Assert.Equal("value 4", await next[0].SoonAsync());
        second.End();
    }

    [Fact]
    public async Task Callers_of_equal_keys_share_a_place()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1, 1, 2, 1);
        Assert.Equal(2, loader.GetStats().Pending);
        Clock.Advance(s_window);
        (await Backend.NextAsync(1, 2)).Succeed();
        Assert.Equal(["value 1", "value 1", "value 2", "value 1"], await Task.WhenAll(loads).SoonAsync());
    }

    [Fact]
    public async Task A_key_of_a_running_batch_is_joined_and_not_asked_again()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1);
        Clock.Advance(s_window);
        var first = await Backend.NextAsync(1);
        loads = [.. loads, .. await LoadAsync(loader, 1, 2)];
        Clock.Advance(s_window);
        (await Backend.NextAsync(2)).Succeed();
        first.Succeed();
        Assert.Equal(["value 1", "value 1", "value 2"], await Task.WhenAll(loads).SoonAsync());
    }

    [Fact]
    public async Task After_Forget_a_running_key_is_asked_again()
    {
        var loader = Create();
        var before = await LoadAsync(loader, 1);
        Clock.Advance(s_window);
        var first = await Backend.NextAsync(1);
        Assert.True(loader.Singleflight.Forget(1));
        var after = await LoadAsync(loader, 1);
        Clock.Advance(s_window);
        var second = await Backend.NextAsync(1);
        second.Answer.Set(1, "new");
        first.Answer.Set(1, "old");
        Assert.Equal(("old", "new"), (await before[0].SoonAsync(), await after[0].SoonAsync()));
        first.End();
        second.End();
    }

    [Fact]
    public async Task After_Forget_a_waiting_key_is_asked_once_for_old_and_new_callers()
    {
        var loader = Create();
        var before = await LoadAsync(loader, 1);
        Assert.True(loader.Singleflight.Forget(1));
        var after = await LoadAsync(loader, 1, 2);
        Clock.Advance(s_window);
        (await Backend.NextAsync(1, 2)).Succeed();
        Assert.Equal(["value 1", "value 1", "value 2"], await Task.WhenAll([.. before, .. after]).SoonAsync());
        await IdleAsync(loader);
        Assert.Equal((2L, 2L), (loader.GetStats().Keys, loader.GetStats().Found));
    }

    [Fact]
    public async Task A_key_past_the_limit_of_waiting_keys_is_rejected_and_one_that_waits_already_is_not()
    {
        var loader = Create(options => options.MaxPending = 2);
        var loads = await LoadAsync(loader, 1, 2, 2);
        var rejected = await loader.LoadAsync(3).ThrowsAsync<FlightRejectedException>();
        Assert.Equal((FlightRejectionReason.MaxPending, 2), (rejected.Reason, rejected.Limit));
        Assert.Contains(nameof(BatchLoaderOptions.MaxPending), rejected.Message, StringComparison.Ordinal);

        Clock.Advance(s_window);
        var running = await Backend.NextAsync(1, 2);
        var next = await LoadAsync(loader, 3); // keys that have taken off leave their places
        running.Succeed();
        Clock.Advance(s_window);
        (await Backend.NextAsync(3)).Succeed();
        await Task.WhenAll([.. loads, .. next]).SoonAsync();
    }

    [Fact]
    public async Task A_key_past_the_limit_of_waiting_keys_can_be_a_batch_of_its_own()
    {
        var loader = Create(options => (options.MaxPending, options.MaxConcurrentBatches, options.Overflow) = (1, 1, OverflowBehavior.RunAlone));
        var loads = await LoadAsync(loader, 1, 2, 3);
        (await Backend.NextAsync()).Succeed();
        (await Backend.NextAsync()).Succeed();
        await Task.WhenAll(loads[1..]).SoonAsync();
        Assert.False(loads[0].IsCompleted);
        await Patience.UntilAsync(() => loader.GetStats().Running == 0, "the two batches have ended");

        Clock.Advance(s_window);
        var first = await Backend.NextAsync(1);
        var next = await LoadAsync(loader, 4);
        Clock.Advance(s_window);
        await LetPoolRunAsync();
        Assert.Equal((1, 1), (loader.GetStats().Running, loader.GetStats().Pending)); // the limit still holds for the others
        first.Succeed();
        (await Backend.NextAsync(4)).Succeed();
        await Task.WhenAll(loads[0], next[0]).SoonAsync();
    }

    [Fact]
    public async Task The_callers_comparer_decides_which_keys_are_equal()
    {
        var loader = Create(comparer: EqualityComparer<int>.Create((a, b) => a % 10 == b % 10, key => key % 10));
        var loads = await LoadAsync(loader, 1, 11, 2);
        loader.Singleflight.Forget(1);
        loads = [.. loads, .. await LoadAsync(loader, 21)];
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        call.Answer.Set(31, "one");
        call.Succeed();
        Assert.Equal(["one", "one", "value 2", "one"], await Task.WhenAll(loads).SoonAsync());
    }

    [Fact]
    public async Task No_timer_is_set_while_no_key_waits()
    {
        var clock = new TimerCountingTimeProvider();
        var loader = Create(options => options.Window = TimeSpan.FromMinutes(1), clock: clock);
        Assert.Equal(0, clock.SetTimers);
        using var leaves = new CancellationTokenSource();
        var load = loader.LoadAsync(1, leaves.Token);
        Assert.Equal(1, clock.SetTimers);
        await leaves.CancelAsync();
        await load.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => clock.SetTimers == 0, "the timer is stopped");
        Assert.Equal((0, 1L), (loader.GetStats().Pending, loader.GetStats().LeftOut));
    }

    [Fact]
    public async Task A_clock_that_throws_loses_no_caller()
    {
        var clock = new FailingTimeProvider { Fails = true };
        var loader = Create(clock: clock);
        var load = loader.LoadAsync(1);
        (await Backend.NextAsync(1)).Succeed(); // without its window
        Assert.Equal("value 1", await load.SoonAsync());
        clock.Fails = false; // the loader may wait for its batch when it is disposed of
    }
}
