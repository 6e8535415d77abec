namespace RequestCoalescing.Testing.Tests;

/// <summary>Holds, waits and instructions of a <see cref="FakeSingleflight{TKey}"/>.</summary>
public sealed class FakeControlTests
{
    private readonly FakeSingleflight _fake = new();
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task The_callers_of_a_held_key_share_one_run_that_begins_at_the_release()
    {
        var hold = _fake.Hold("a");
        var calls = Enumerable.Range(0, 3).Select(_ => CallAsync("a")).ToArray();
        await _fake.WaitForCallersAsync("a", 3);
        Assert.Equal(0, _backend.Runs);
        Assert.False(hold.IsReleased);

        hold.Release();
        hold.Dispose();

        Assert.True(hold.IsReleased);
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.Equal((IEnumerable<int>)[7, 7, 7], await Task.WhenAll(calls).SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task Other_keys_are_not_held()
    {
        using var hold = _fake.Hold("a");
        Assert.Equal(1, await _fake.ExecuteAsync("b", _ => ValueTask.FromResult(1)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task A_flight_under_several_holds_waits_for_all_of_them()
    {
        var all = _fake.HoldAll();
        var one = _fake.Hold("a");
        var call = CallAsync("a");
        var other = _fake.ExecuteAsync("b", _ => ValueTask.FromResult(1)).AsTask();
        await _fake.WaitForCallersAsync("a", 1);

        all.Release();
        Assert.Equal(1, await other.SoonAsync()); // held by the same hold, and released after the flight above
        Assert.Equal(0, _backend.Runs);
        one.Release();
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.Equal(7, await call.SoonAsync());
    }

    [Fact]
    public async Task A_hold_does_not_affect_work_that_has_begun()
    {
        var call = CallAsync("a");
        var run = await _backend.NextRunAsync();
        using var hold = _fake.HoldAll();
        run.Succeed(7);
        Assert.Equal(7, await call.SoonAsync());
    }

    [Fact]
    public async Task A_held_flight_that_is_forgotten_is_not_current_when_its_work_begins()
    {
        using var hold = _fake.Hold("a");
        var before = _fake.ExecuteAsync("a", (FlightContext flight) => ValueTask.FromResult(flight.IsCurrent)).AsTask();
        Assert.True(_fake.Forget("a"));
        var after = _fake.ExecuteAsync("a", (FlightContext flight) => ValueTask.FromResult(flight.IsCurrent)).AsTask();
        await _fake.WaitForCallersAsync("a", 2);
        hold.Release();

        Assert.False(await before.SoonAsync());
        Assert.True(await after.SoonAsync());
    }

    [Fact]
    public async Task The_wait_for_callers_ends_with_the_last_of_them()
    {
        using var hold = _fake.HoldAll();
        using var leaves = new CancellationTokenSource();
        var left = CallAsync("a", leaves.Token);
        await _fake.WaitForCallersAsync("a", 1);
        await leaves.CancelAsync();
        await left.LeavesWithAsync(leaves.Token);

        var waiting = _fake.WaitForCallersAsync("a", 2);
        _ = CallAsync("a");
        _ = CallAsync("b");
        Assert.False(waiting.IsCompleted); // one has left, and one waits for another key
        _ = CallAsync("a");
        await waiting.SoonAsync();
    }

    [Fact]
    public async Task A_leader_that_is_blocked_by_its_own_work_counts_as_a_caller()
    {
        using var release = new ManualResetEventSlim();
        var leader = Task.Run(async () => await _fake.ExecuteAsync("a", _ => ValueTask.FromResult(release.Wait(Patience.Limit))));
        await _fake.WaitForCallersAsync("a", 1);
        release.Set();
        Assert.True(await leader.SoonAsync());
    }

    [Fact]
    public async Task The_wait_for_callers_can_be_cancelled()
    {
        using var source = new CancellationTokenSource();
        var waiting = _fake.WaitForCallersAsync("a", 1, source.Token);
        await source.CancelAsync();
        await waiting.LeavesWithAsync(source.Token);
    }

    [Fact]
    public async Task The_next_flights_fail_in_turn_and_the_work_does_not_run()
    {
        var rejection = new FlightRejectedException(FlightRejectionReason.MaxInFlight, 1);
        var timeout = new FlightTimeoutException(TimeSpan.FromSeconds(1));
        _fake.FailNext("a", rejection);
        _fake.FailNext("a", timeout);

        Assert.Same(rejection, await CallAsync("a").ThrowsAsync<FlightRejectedException>());
        Assert.Same(timeout, await CallAsync("a").ThrowsAsync<FlightTimeoutException>());
        Assert.Equal(0, _backend.Runs);
        Assert.Equal(1, await _fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task All_flights_of_a_key_fail_until_the_reset()
    {
        _fake.FailAll("a", new InvalidDataException());
        _fake.ReturnNext("a", 1);

        Assert.Equal(1, await CallAsync("a").SoonAsync());
        await CallAsync("a").ThrowsAsync<InvalidDataException>();
        await CallAsync("a").ThrowsAsync<InvalidDataException>();
        _fake.Reset();
        Assert.Equal(2, await _fake.ExecuteAsync("a", _ => ValueTask.FromResult(2)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Every_caller_of_a_held_flight_gets_the_failure()
    {
        using var hold = _fake.Hold("a");
        var calls = new[] { CallAsync("a"), CallAsync("a") };
        await _fake.WaitForCallersAsync("a", 2);
        var timeout = new FlightTimeoutException(TimeSpan.FromSeconds(1));
        _fake.FailNext("a", timeout);
        hold.Release();

        foreach (var call in calls) Assert.Same(timeout, await call.ThrowsAsync<FlightTimeoutException>());
    }

    [Fact]
    public async Task A_result_is_returned_in_place_of_the_work()
    {
        _fake.ReturnNext("a", 1);
        Assert.Equal(1, await CallAsync("a").SoonAsync());
        _fake.ReturnNext("a", 2);
        Assert.Equal(2, await _fake.ExecuteAsync("a", _ => ValueTask.FromResult<int?>(0)).AsTask().SoonAsync());
        _fake.ReturnAll("a", null);
        Assert.Null(await _fake.ExecuteAsync("a", _ => ValueTask.FromResult<string?>("work")).AsTask().SoonAsync());
        Assert.Null(await _fake.ExecuteAsync("a", _ => ValueTask.FromResult<int?>(0)).AsTask().SoonAsync());
        Assert.Equal(0, _backend.Runs);
    }

    [Theory]
    [InlineData("text", "System.String")]
    [InlineData(null, "null")]
    public async Task A_result_of_another_type_fails_the_call_with_a_clear_error(string? result, string name)
    {
        _fake.ReturnNext("a", result);
        var error = await CallAsync("a").ThrowsAsync<InvalidOperationException>();
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains("System.Int32", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_whose_leader_is_cancelled_runs_its_own_work()
    {
        _fake.CancelNextLeader("a");
        var call = CallAsync("a");
        (await _backend.NextRunAsync()).Succeed(7);

        Assert.Equal(7, await call.SoonAsync());
        Assert.Equal(1, _fake.GetStats().Elections);
        Assert.Equal(FakeCallRole.Leader, Assert.Single(_fake.Calls).Role);
        Assert.Equal(8, await _fake.ExecuteAsync("a", _ => ValueTask.FromResult(8)).AsTask().SoonAsync());
        Assert.Equal(1, _fake.GetStats().Elections);
    }

    [Fact]
    public async Task Arguments_are_checked()
    {
        Assert.Throws<ArgumentNullException>("key", () => _fake.Hold(null!));
        Assert.Throws<ArgumentNullException>("key", () => _fake.FailNext(null!, new InvalidDataException()));
        Assert.Throws<ArgumentNullException>("exception", () => _fake.FailNext("a", null!));
        Assert.Throws<ArgumentNullException>("exception", () => _fake.FailAll("a", null!));
        Assert.Throws<ArgumentNullException>("key", () => _fake.ReturnNext(null!, 1));
        Assert.Throws<ArgumentNullException>("key", () => _fake.ReturnAll(null!, 1));
        Assert.Throws<ArgumentNullException>("key", () => _fake.CancelNextLeader(null!));
        await Assert.ThrowsAsync<ArgumentNullException>("key", () => _fake.WaitForCallersAsync(null!, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("count", () => _fake.WaitForCallersAsync("a", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FakeSingleflight(new SingleflightOptions { MaxInFlight = 0 }));
    }

    private Task<int> CallAsync(string key, CancellationToken cancellationToken = default) =>
        _fake.ExecuteAsync(key, _backend.RunAsync, cancellationToken).AsTask();
}
