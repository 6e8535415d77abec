namespace RequestCoalescing.Tests.Batching;

/// <content>What callers get.</content>
public abstract partial class BatchLoaderContract
{
    [Fact]
    public async Task A_key_without_an_answer_is_missing_and_a_null_is_a_value()
    {
        var loader = Create();
        var missing = loader.TryLoadAsync(1);
        var found = loader.TryLoadAsync(2);
        var loads = await LoadAsync(loader, 1, 2);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        call.Answer.Set(2, null!);
        call.End();

        Assert.Equal(default, await missing.SoonAsync());
        Assert.Equal(new BatchOutcome<string> { IsFound = true }, await found.SoonAsync());
        Assert.Equal([null, null], await Task.WhenAll(loads).SoonAsync());
        Assert.Equal((1L, 1L), (loader.GetStats().Missing, loader.GetStats().Found));
    }

    [Fact]
    public async Task The_first_answer_of_a_key_counts_and_answers_to_other_keys_are_ignored()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1);
        call.Answer.Set(1, "first");
        call.Answer.Set(1, "second");
        call.Answer.Fail(1, new InvalidDataException());
        call.Answer.Set(7, "unasked");
        call.End();
        Assert.Equal("first", await loads[0].SoonAsync());
        await IdleAsync(loader);
        var stats = loader.GetStats();
        Assert.Equal((2L, 1L, 1L, 0L, 0L), (stats.Duplicates, stats.Unasked, stats.Found, stats.Failed, stats.CancelledCalls)); // not cancelled: every key had its answer
    }

    [Fact]
    public async Task An_error_of_one_key_is_its_own()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1, 2, 1);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        var error = new InvalidDataException("key 1");
        call.Answer.Fail(1, error);
        call.Answer.Set(2, "two");
        call.End();
        Assert.Same(error, await loads[0].ThrowsAsync<InvalidDataException>());
        Assert.Same(error, await loads[2].ThrowsAsync<InvalidDataException>());
        Assert.Equal("two", await loads[1].SoonAsync());
        Assert.Equal((1L, 1L, 0L), (loader.GetStats().Failed, loader.GetStats().Found, loader.GetStats().FailedCalls));
    }

    [Fact]
    public async Task A_failed_batch_fails_its_own_keys_only_and_nothing_of_it_stays()
    {
        var loader = Create(options => options.MaxBatchSize = 2);
        var loads = await LoadAsync(loader, 1, 2);
        var failing = await Backend.NextAsync(1, 2);
        loads = [.. loads, .. await LoadAsync(loader, 3, 4)];
        (await Backend.NextAsync(3, 4)).Succeed();
        var error = new InvalidDataException("down");
        failing.Answer.Set(1, "early");
        failing.Fail(error);
        Assert.Equal("early", await loads[0].SoonAsync());
        Assert.Same(error, await loads[1].ThrowsAsync<InvalidDataException>());
        Assert.Equal(["value 3", "value 4"], await Task.WhenAll(loads[2..]).SoonAsync());

        var again = await LoadAsync(loader, 1, 2);
        (await Backend.NextAsync(1, 2)).Succeed();
        Assert.Equal(["value 1", "value 2"], await Task.WhenAll(again).SoonAsync());
        await IdleAsync(loader);
        Assert.Equal((1L, 1L), (loader.GetStats().FailedCalls, loader.GetStats().Failed));
    }

    [Fact]
    public async Task A_backend_that_throws_at_once_or_returns_null_fails_its_keys()
    {
        var thrown = new InvalidDataException();
        var throws = Create((_, _, _) => throw thrown, options => options.Window = TimeSpan.Zero);
        Assert.Same(thrown, await throws.LoadAsync(1).ThrowsAsync<InvalidDataException>());

        var returnsNull = Create((_, _, _) => null!, options => options.Window = TimeSpan.Zero);
        Assert.Contains("returned null", (await returnsNull.LoadAsync(1).ThrowsAsync<InvalidOperationException>()).Message, StringComparison.Ordinal);

        await using var nullTask = new BatchLoader<int, string>((_, _) => null!, new BatchLoaderOptions { Window = TimeSpan.Zero });
        Assert.Contains("returned null", (await nullTask.LoadAsync(1).ThrowsAsync<InvalidOperationException>()).Message, StringComparison.Ordinal);

        await using var nullAnswer = new BatchLoader<int, string>((_, _) => Task.FromResult<IReadOnlyDictionary<int, string>>(null!), new BatchLoaderOptions { Window = TimeSpan.Zero });
        Assert.Contains("returned null", (await nullAnswer.LoadAsync(1).ThrowsAsync<InvalidOperationException>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_reaches_the_callers_of_its_key_before_the_call_has_ended()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1, 2);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1, 2);
        call.Answer.Set(1, "early");
        Assert.Equal("early", await loads[0].SoonAsync());
        Assert.False(loads[1].IsCompleted);
        call.End();
        Assert.Null(await loads[1].SoonAsync());
    }

    [Fact]
    public async Task An_answer_after_the_end_of_its_call_has_no_effect()
    {
        var loader = Create();
        var loads = await LoadAsync(loader, 1);
        Clock.Advance(s_window);
        var call = await Backend.NextAsync(1);
        call.End();
        Assert.Null(await loads[0].SoonAsync());
        var before = loader.GetStats();
        call.Answer.Set(1, "late");
        call.Answer.Set(2, "late");
        Assert.Equal((before.Duplicates, before.Unasked), (loader.GetStats().Duplicates, loader.GetStats().Unasked));
    }

    [Fact]
    public async Task Bisecting_isolates_one_poisoned_key_with_two_calls_for_each_halving()
    {
        var loader = Create(options => (options.BisectsFailures, options.MaxBatchSize) = (true, 8));
        var loads = await LoadAsync(loader, 0, 1, 2, 3, 4, 5, 6, 7);
        await AnswerAllAsync(loads, keys => keys.Contains(5));
        for (var key = 0; key < 8; key++)
        {
            if (key == 5) Assert.Equal("poisoned", (await loads[key].ThrowsAsync<InvalidDataException>()).Message);
            else Assert.Equal($"value {key}", await loads[key].SoonAsync());
        }

        await IdleAsync(loader);
        Assert.Equal((7L, 4L, 8L, 7L, 1L), (loader.GetStats().Calls, loader.GetStats().FailedCalls, loader.GetStats().Keys, loader.GetStats().Found, loader.GetStats().Failed));
    }

    [Fact]
    public async Task Bisecting_is_bounded_when_every_call_fails()
    {
        var loader = Create(options => (options.BisectsFailures, options.MaxBatchSize) = (true, 8));
        var loads = await LoadAsync(loader, 0, 1, 2, 3, 4, 5, 6, 7);
        await AnswerAllAsync(loads, _ => true);
        await Task.WhenAll(loads.Select(load => load.ThrowsAsync<InvalidDataException>()));
        await IdleAsync(loader);
        Assert.Equal((7L, 8L), (loader.GetStats().Calls, loader.GetStats().Failed));
    }

    [Fact]
    public async Task A_failed_call_is_not_repeated_by_default()
    {
        var loader = Create(options => options.MaxBatchSize = 8);
        var loads = await LoadAsync(loader, 0, 1, 2, 3, 4, 5, 6, 7);
        await AnswerAllAsync(loads, keys => keys.Contains(5));
        await Task.WhenAll(loads.Select(load => load.ThrowsAsync<InvalidDataException>()));
        Assert.Equal(1, Backend.Calls);
    }

    [Fact]
    public async Task Many_keys_have_their_outcomes_in_order_and_an_error_affects_only_its_key()
    {
        var loader = Create(options => options.Window = TimeSpan.Zero);
        var load = loader.LoadManyAsync([3, 1, 2, 3]);
        var call = await Backend.NextAsync(3, 1, 2);
        var error = new InvalidDataException();
        call.Answer.Set(3, "three");
        call.Answer.Fail(1, error);
        call.End();
        var three = new BatchOutcome<string> { IsFound = true, Value = "three" };
        Assert.Equal([three, new BatchOutcome<string> { Error = error }, default, three], await load.SoonAsync());
        Assert.Equal(1, Backend.Calls);
    }

    [Fact]
    public async Task Many_keys_enter_as_few_batches_as_possible()
    {
        var loader = Create(options => (options.Window, options.MaxBatchSize) = (TimeSpan.Zero, 100));
        var load = loader.LoadManyAsync(Enumerable.Range(0, 250));
        var sizes = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            var call = await Backend.NextAsync();
            sizes.Add(call.Keys.Count);
            call.Succeed();
        }

        Assert.Equal(Enumerable.Range(0, 250).Select(key => $"value {key}"), (await load.SoonAsync()).Select(outcome => outcome.Value));
        Assert.Equal([100, 100, 50], sizes.OrderDescending());
        Assert.Empty(await loader.LoadManyAsync([]).SoonAsync());
        Assert.Equal(3, Backend.Calls);
    }

    [Fact]
    public async Task Many_keys_past_the_limit_of_waiting_keys_are_rejected_one_by_one()
    {
        var loader = Create(options => options.MaxPending = 2);
        var load = loader.LoadManyAsync([1, 2, 3]);
        await loader.Singleflight.UntilSubscribersAsync(2);
        Clock.Advance(s_window);
        (await Backend.NextAsync(1, 2)).Succeed();
        var outcomes = await load.SoonAsync();
        Assert.Equal(["value 1", "value 2", null], outcomes.Select(outcome => outcome.Value));
        Assert.Equal(FlightRejectionReason.MaxPending, Assert.IsType<FlightRejectedException>(outcomes[2].Error).Reason);
    }

    [Fact]
    public async Task Arguments_are_checked_at_once()
    {
        await using var loader = new BatchLoader<string, string>((_, _, _) => Task.CompletedTask);
        Assert.Throws<ArgumentNullException>("key", () => { _ = loader.LoadAsync(null!); });
        Assert.Throws<ArgumentNullException>("key", () => { _ = loader.TryLoadAsync(null!); });
        Assert.Throws<ArgumentNullException>("keys", () => { _ = loader.LoadManyAsync(null!); });
        Assert.Throws<ArgumentNullException>("keys", () => { _ = loader.LoadManyAsync(["a", null!]); });
    }

    [Fact]
    public async Task No_failure_is_left_unobserved()
    {
        var loader = Create(options => options.Window = TimeSpan.Zero);
        using var leaves = new CancellationTokenSource();
        await Unobserved.AssertNoneAsync(
            async () =>
            {
                var load = loader.LoadAsync(1, leaves.Token);
                var call = await Backend.NextAsync(1);
                await leaves.CancelAsync();
                await load.LeavesWithAsync(leaves.Token);
                await call.CancelledAsync();
                call.Fail(new InvalidTimeZoneException());
                await IdleAsync(loader);
            },
            error => error is InvalidTimeZoneException);
    }

    // Answers calls until all loads have ended. A call with keys that match fails.
    private async Task AnswerAllAsync(Task<string?>[] loads, Func<IReadOnlyList<int>, bool> isPoisoned)
    {
        var all = Task.WhenAll(loads.Select(load => load.ContinueWith(static _ => { }, TaskScheduler.Default)));
        while (true)
        {
            var next = Backend.NextAsync();
            if (await Task.WhenAny(all, next) == all) return;
            var call = await next;
            if (isPoisoned(call.Keys)) call.Fail(new InvalidDataException("poisoned"));
            else call.Succeed();
        }
    }
}
