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
    private readonly PausingComparer _comparer = new();
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
        await GetsTheSecondRunAsync(hasToken, _ => _clock.Advance(TimeSpan.FromSeconds(31)));

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
        _comparer.Resume();
        await _singleflight.UntilSubscribersAsync(2);
        second.Succeed(2);

        Assert.Equal(2, await await joiner);
        Assert.Equal(2, await sharer);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
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
        _comparer.Resume();

        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await await joiner);
    }

    [Fact]
    public async Task A_caller_whose_token_fires_before_the_join_is_not_counted()
    {
        _ = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();

        var joiner = StartPausedJoin(hasToken: true);
        await _token.CancelAsync();
        _comparer.Resume();

        var thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await await joiner);
        Assert.Equal(_token.Token, thrown.CancellationToken);
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
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        _comparer.Resume();

        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await await joiner);
    }

    public async ValueTask DisposeAsync()
    {
        await _singleflight.DisposeAsync();
        _token.Dispose();
    }

    // A flight has a leader and a sharer. Another caller has found it when it is closed.
    private async Task GetsTheSecondRunAsync(bool hasToken, Action<BackendRun<int>> close)
    {
        var leader = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var sharer = _singleflight.ExecuteAsync(Key, _backend.RunAsync).AsTask();

        var joiner = StartPausedJoin(hasToken);
        close(first);
        if (first.Completion.IsCompleted) await Task.WhenAll(leader, sharer);
        _comparer.Resume();

        var second = await _backend.NextRunAsync();
        second.Succeed(2);
        Assert.Equal(2, await await joiner);
        Assert.Equal(2, _backend.Runs);
        if (!first.Completion.IsCompleted) first.Succeed(1);
        await Task.WhenAll(leader, sharer).ContinueWith(static _ => { }, TaskScheduler.Default);
    }

    private Task<Task<int>> StartPausedJoin(bool hasToken)
    {
        var joiner = Task.Factory.StartNew(
            () =>
            {
                _comparer.PauseThisThread();
                return _singleflight.ExecuteAsync(Key, _backend.RunAsync, hasToken ? _token.Token : default).AsTask();
            },
            TaskCreationOptions.LongRunning);
        _comparer.WaitForPause();
        return joiner;
    }

    // Holds one thread in its first comparison.
    private sealed class PausingComparer : IEqualityComparer<string>
    {
        private readonly ManualResetEventSlim _reached = new();
        private readonly ManualResetEventSlim _resumed = new();
        private Thread? _paused;

        public void PauseThisThread() => _paused = Thread.CurrentThread;

        public void WaitForPause() => Assert.True(_reached.Wait(Patience.Limit));

        public void Resume() => _resumed.Set();

        public bool Equals(string? x, string? y)
        {
            if (_paused == Thread.CurrentThread)
            {
                _paused = null;
                _reached.Set();
                Assert.True(_resumed.Wait(Patience.Limit));
            }

            return string.Equals(x, y, StringComparison.Ordinal);
        }

        public int GetHashCode(string key) => string.GetHashCode(key, StringComparison.Ordinal);
    }
}
