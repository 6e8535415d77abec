using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>
/// A caller finds the current flight, and something closes the flight before the caller joins it. The equality of the key, which runs between the
/// two steps, holds the caller there, so that each test forces its order.
/// </summary>
public sealed class ForcedJoinTests : IAsyncDisposable
{
    private const string Key = "hot";

    private readonly FakeTimeProvider _clock = new();
    private readonly HookedComparer _comparer = new();
    private readonly ManualResetEventSlim _hasFound = new();
    private readonly ManualResetEventSlim _mayJoin = new();
    private readonly Backend<int> _backend = new();
    private readonly CancellationTokenSource _token = new();
    private readonly Singleflight<string> _singleflight;

    public ForcedJoinTests() => _singleflight = new Singleflight<string>(
        new SingleflightOptions { TimeProvider = _clock, MaxDuration = TimeSpan.FromSeconds(30), JoinWindow = TimeSpan.FromSeconds(20) }, _comparer);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_that_is_forgotten_before_the_join_is_not_joined(bool hasToken) =>
        await GetsTheSecondRunAsync(hasToken, _ => _singleflight.Forget(Key));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_that_is_cleared_before_the_join_is_not_joined(bool hasToken) =>
        await GetsTheSecondRunAsync(hasToken, _ => _singleflight.Clear());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_that_lands_before_the_join_is_not_joined(bool hasToken) =>
        await GetsTheSecondRunAsync(hasToken, first => first.Succeed(1));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_that_expires_before_the_join_is_not_joined(bool hasToken) =>
        await GetsTheSecondRunAsync(hasToken, _ => _clock.Advance(TimeSpan.FromSeconds(31)), expires: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_that_grows_too_old_before_the_join_is_not_joined(bool hasToken) =>
        await GetsTheSecondRunAsync(hasToken, _ => _clock.Advance(TimeSpan.FromSeconds(21)));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flight_whose_leader_is_replaced_before_the_join_is_joined_under_its_successor(bool hasToken)
    {
        using var leaderLeaves = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync(Key, _ => _backend.RunAsync(leaderLeaves.Token), leaderLeaves.Token).AsTask(); // the mistake: the leader's token
        await _backend.NextRunAsync();
        var sharer = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();

        var joiner = StartPausedJoin(hasToken);
        await leaderLeaves.CancelAsync();
        var second = await _backend.NextRunAsync();
        _mayJoin.Set();
        await _singleflight.UntilSubscribersAsync(2);
        second.Succeed(2);

        Assert.Equal(2, await joiner.SoonAsync());
        Assert.Equal(2, await sharer.SoonAsync());
        await leader.LeavesWithAsync(leaderLeaves.Token);
        Assert.Equal(2, _backend.Runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_engine_that_is_disposed_before_the_join_refuses_it(bool hasToken)
    {
        _ = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await _backend.NextRunAsync();
        _ = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();

        var joiner = StartPausedJoin(hasToken);
        await _singleflight.DisposeAsync();
        _mayJoin.Set();

        await joiner.ThrowsAsync<ObjectDisposedException>();
    }

    [Fact]
    public async Task A_caller_whose_token_fires_before_the_join_is_not_counted()
    {
        _ = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();

        var joiner = StartPausedJoin(hasToken: true);
        await _token.CancelAsync();
        _mayJoin.Set();

        await joiner.LeavesWithAsync(_token.Token);
        Assert.Equal(1, _singleflight.GetStats().TotalSubscribers);
        run.Succeed(1);
    }

    [Fact]
    public async Task The_last_caller_leaves_before_the_join_and_the_joiner_leads()
    {
        using var leaves = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync(Key, _backend.RunAsync, leaves.Token).AsTask();
        await _backend.NextRunAsync();

        var joiner = StartPausedJoin(hasToken: true);
        await leaves.CancelAsync();
        await leader.LeavesWithAsync(leaves.Token);
        _mayJoin.Set();

        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await joiner.SoonAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _singleflight.DisposeAsync();
        _token.Dispose();
        _hasFound.Dispose();
        _mayJoin.Dispose();
    }

    // A flight has a leader and a sharer. Another caller has found it when it is closed. The first two get its outcome, unless it has expired.
    private async Task GetsTheSecondRunAsync(bool hasToken, Action<BackendRun<int>> close, bool expires = false)
    {
        var leader = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var sharer = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();

        var joiner = StartPausedJoin(hasToken);
        close(first);
        if (first.Completion.IsCompletedSuccessfully) await Task.WhenAll(leader, sharer).SoonAsync();
        _mayJoin.Set();

        var second = await _backend.NextRunAsync();
        second.Succeed(2);
        Assert.Equal(2, await joiner.SoonAsync());
        Assert.Equal(2, _backend.Runs);
        if (expires)
        {
            await leader.ThrowsAsync<FlightTimeoutException>();
            await sharer.ThrowsAsync<FlightTimeoutException>();
            return;
        }

        if (!first.Completion.IsCompleted) first.Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(leader, sharer).SoonAsync());
    }

    // Returns when the joiner has found the flight. It joins when it may.
    private Task<int> StartPausedJoin(bool hasToken)
    {
        _comparer.Hook = () =>
        {
            _hasFound.Set();
            Assert.True(_mayJoin.Wait(Patience.Limit));
        };
        var joiner = Task.Factory.StartNew(
            () => _singleflight.ExecuteAsync(Key, _backend.RunAsync, hasToken ? _token.Token : default).AsTask(), TaskCreationOptions.LongRunning);
        Assert.True(_hasFound.Wait(Patience.Limit));
        return joiner.Unwrap();
    }
}
