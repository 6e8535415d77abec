namespace RequestCoalescing.Testing.Tests;

/// <summary>What a <see cref="FakeSingleflight{TKey}"/> records.</summary>
public sealed class FakeRecordTests
{
    private readonly FakeSingleflight _fake = new();

    [Fact]
    public async Task A_call_is_recorded_with_what_was_asked_and_what_the_caller_got()
    {
        using var source = new CancellationTokenSource();
        Assert.Equal("post", await _fake.ExecuteAsync("a", _ => ValueTask.FromResult("post"), source.Token));

        var call = Assert.Single(_fake.Calls);
        Assert.Equal(("a", typeof(string), source.Token), (call.Key, call.ResultType, call.CancellationToken));
        Assert.Equal((FakeCallRole.Leader, FakeCallStatus.Succeeded, "post", null), (call.Role, call.Status, call.Result, call.Exception));
        Assert.Equal("a: Leader, Succeeded", call.ToString());
    }

    [Fact]
    public async Task Leaders_and_followers_are_told_apart()
    {
        using var hold = _fake.Hold("a");
        var first = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)).AsTask();
        var second = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(2)).AsTask();
        await _fake.WaitForCallersAsync("a", 2);
        Assert.Equal([FakeCallRole.Leader, FakeCallRole.Follower], _fake.Calls.Select(call => call.Role));
        Assert.All(_fake.Calls, call => Assert.Equal(FakeCallStatus.InFlight, call.Status));
        hold.Release();

        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(first, second).SoonAsync());
        Assert.All(_fake.Calls, call => Assert.Equal((FakeCallStatus.Succeeded, 1), (call.Status, call.Result)));
    }

    [Fact]
    public async Task A_failure_is_recorded_for_every_caller()
    {
        using var hold = _fake.Hold("a");
        var error = new InvalidDataException();
        var calls = Enumerable.Range(0, 2).Select(_ => _fake.ExecuteAsync<int>("a", _ => throw error).AsTask()).ToArray();
        await _fake.WaitForCallersAsync("a", 2);
        hold.Release();

        foreach (var call in calls) await call.ThrowsAsync<InvalidDataException>();
        Assert.All(_fake.Calls, call => Assert.Equal((FakeCallStatus.Failed, error), (call.Status, call.Exception)));
    }

    [Fact]
    public async Task A_leader_that_leaves_is_recorded_as_cancelled_and_its_follower_gets_the_result()
    {
        using var hold = _fake.Hold("a");
        using var source = new CancellationTokenSource();
        var leader = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(1), source.Token).AsTask();
        var follower = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(2)).AsTask();
        await _fake.WaitForCallersAsync("a", 2);
        await source.CancelAsync();
        await leader.LeavesWithAsync(source.Token);
        hold.Release();

        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal([FakeCallStatus.Cancelled, FakeCallStatus.Succeeded], _fake.Calls.Select(call => call.Status));
    }

    [Fact]
    public async Task A_call_that_gets_no_flight_has_no_role()
    {
        await using var fake = new FakeSingleflight(new SingleflightOptions { MaxSubscribers = 1 });
        using var hold = fake.Hold("a");
        var seated = fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)).AsTask();
        await fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)).AsTask().ThrowsAsync<FlightRejectedException>();
        await fake.ExecuteAsync("b", _ => ValueTask.FromResult(1), new CancellationToken(true)).AsTask().ThrowsAsync<OperationCanceledException>();
        hold.Release();
        await seated.SoonAsync();
        await fake.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await fake.ExecuteAsync("c", _ => ValueTask.FromResult(1)));

        Assert.Equal(
            [(FakeCallRole.Leader, FakeCallStatus.Succeeded), (FakeCallRole.None, FakeCallStatus.Failed), (FakeCallRole.None, FakeCallStatus.Cancelled), (FakeCallRole.None, FakeCallStatus.Failed)],
            fake.Calls.Select(call => (call.Role, call.Status)));
    }

    [Fact]
    public async Task The_outcome_of_a_call_is_recorded_when_its_caller_takes_it()
    {
        var call = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(1));
        Assert.True(call.IsCompletedSuccessfully);
        Assert.Equal(FakeCallStatus.InFlight, _fake.Calls[0].Status);
        Assert.Equal(1, await call);
        Assert.Equal(FakeCallStatus.Succeeded, _fake.Calls[0].Status);
    }

    [Fact]
    public async Task A_call_that_is_awaited_twice_keeps_its_outcome()
    {
        var call = _fake.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            return 1;
        });
        Assert.Equal(1, await call);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await call);
        Assert.Equal((FakeCallStatus.Succeeded, 1), (_fake.Calls[0].Status, _fake.Calls[0].Result));
    }

    [Fact]
    public void Forgets_and_clears_are_recorded_until_the_reset()
    {
        Assert.False(_fake.Forget("a"));
        Assert.False(_fake.Forget("b"));
        _fake.Clear();
        Assert.Equal(["a", "b"], _fake.Forgets);
        Assert.Equal(1, _fake.ClearCount);

        _fake.Reset();
        Assert.Empty(_fake.Forgets);
        Assert.Equal(0, _fake.ClearCount);
    }

    [Fact]
    public async Task A_reset_releases_the_holds_and_drops_the_calls()
    {
        var holds = new[] { _fake.Hold("a"), _fake.HoldAll() };
        var call = _fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)).AsTask();
        await _fake.WaitForCallersAsync("a", 1);
        _fake.Reset();

        Assert.Equal(1, await call.SoonAsync());
        Assert.All(holds, hold => Assert.True(hold.IsReleased));
        Assert.Empty(_fake.Calls);
    }

    [Fact]
    public async Task Keys_can_be_of_any_type_and_have_a_comparer_of_their_own()
    {
        await using var typed = new FakeSingleflight<(string Post, int Limit)>();
        using var hold = typed.Hold(("a", 1));
        Assert.Equal(2, await typed.ExecuteAsync(("a", 2), _ => ValueTask.FromResult(2)));
        var held = typed.ExecuteAsync(("a", 1), _ => ValueTask.FromResult(1)).AsTask();
        await typed.WaitForCallersAsync(("a", 1), 1);
        hold.Release();
        Assert.Equal(1, await held.SoonAsync());

        await using var ignoresCase = new FakeSingleflight<string>(comparer: StringComparer.OrdinalIgnoreCase);
        ignoresCase.ReturnNext("A", 1);
        Assert.Equal(1, await ignoresCase.ExecuteAsync("a", _ => ValueTask.FromResult(0)));
    }

    [Fact]
    public async Task Calls_of_many_threads_are_all_recorded()
    {
        const int Threads = 8;
        const int Rounds = 200;
        Crowd.Run(Threads, _ =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                _fake.ExecuteAsync($"{round % 3}", async _ =>
                {
                    await Task.Yield();
                    return round;
                }).AsTask().SoonAsync().GetAwaiter().GetResult();
            }
        });
        await Patience.UntilAsync(() => _fake.GetStats().InFlightCount == 0, "every flight has landed");

        var stats = _fake.GetStats();
        Assert.Equal(Threads * Rounds, _fake.Calls.Count);
        Assert.Equal(stats.Flights, _fake.Calls.Count(call => call.Role == FakeCallRole.Leader));
        Assert.Equal(stats.Coalesced, _fake.Calls.Count(call => call.Role == FakeCallRole.Follower));
        Assert.All(_fake.Calls, call => Assert.Equal(FakeCallStatus.Succeeded, call.Status));
    }
}
