namespace RequestCoalescing.Tests.Streaming;

/// <summary>Each caller of a stream reads the run of the flight that it has joined, whatever happens between the steps of its join.</summary>
public sealed class StreamJoinTests
{
    private readonly StreamBackend<int> _backend = new();
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_is_refused_gets_no_item(bool isDraining)
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxSubscribers = isDraining ? int.MaxValue : 1 });
        await using var reader = Read(singleflight);
        var first = reader.NextAsync();
        (await _backend.NextRunAsync()).Yield(1, 2);
        Assert.Equal(1, await first);
        if (isDraining) _ = singleflight.DrainAsync();

        await Read(singleflight).NextAsync().ThrowsAsync<FlightRejectedException>();
    }

    [Fact]
    public async Task Work_that_reads_its_own_stream_gets_a_deadlock_error()
    {
        var singleflight = new Singleflight();
        await using var reader = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", _ => Source()));

        Assert.Equal(1, await reader.NextAsync());
        await reader.NextAsync().ThrowsAsync<FlightDeadlockException>();

        async IAsyncEnumerable<int> Source()
        {
            yield return 1;
            await singleflight.ExecuteStreamAsync("key", _ => Source()).CountAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Subscribers_that_elect_a_leader_read_its_run_as_it_goes(bool isForgotten)
    {
        var singleflight = new Singleflight();
        var (leader, followers, items, aborted) = await FollowAsync(singleflight);
        if (isForgotten) Assert.True(singleflight.Forget("key"));

        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        var run = await _backend.NextRunAsync();
        run.Yield(7);
        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(7, item));
        run.Yield(8);
        run.End();
        foreach (var follower in followers) Assert.Equal([8], await follower.RestAsync());
        Assert.Equal((2, 5), (_backend.Runs, singleflight.GetStats().Calls));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_source_that_hears_of_the_leaders_token_before_the_leader_has_left_lets_the_others_elect_one(bool hasTwoTokens)
    {
        using var aborted = new CancellationTokenSource();
        using var other = new CancellationTokenSource();
        var singleflight = new Singleflight();
        await using var leading = singleflight.ExecuteStreamAsync("key", _ => Source(), aborted.Token).GetAsyncEnumerator(hasTwoTokens ? other.Token : default);
        var leader = leading.MoveNextAsync().AsTask();
        await using var follower = Read(singleflight);
        var item = follower.NextAsync();
        await singleflight.UntilSubscribersAsync(2);

        await aborted.CancelAsync();

        (await _backend.NextRunAsync()).Yield(7);
        Assert.Equal(7, await item.SoonAsync());
        await leader.LeavesWithAsync(aborted.Token);

        async IAsyncEnumerable<int> Source()
        {
            var ended = new TaskCompletionSource(); // goes on within the callback, which is the last one to be registered and the first one to be called
            await using (aborted.Token.Register(() => ended.TrySetCanceled(aborted.Token))) await ended.Task;
            yield break;
        }
    }

    [Fact]
    public async Task A_caller_that_is_elected_before_it_has_its_place_streams_to_the_others()
    {
        using var aborted = new CancellationTokenSource();
        var singleflight = new HookedSingleflight(new Singleflight()) { Work = _gate.Task };
        var leader = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", _ => _backend.Run(aborted.Token), aborted.Token)).NextAsync();
        var followers = Enumerable.Range(0, 4).Select(_ => Read(singleflight)).ToArray();
        var items = followers.Select(static follower => follower.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(5);
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);

        _gate.SetResult(); // the source fails before anyone has seen that it has begun

        await _backend.NextRunAsync();
        var run = await _backend.NextRunAsync();
        run.Yield(7);
        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(7, item));
        run.End();
        foreach (var follower in followers) Assert.Empty(await follower.RestAsync());
    }

    [Fact]
    public async Task An_election_joins_nobody_anew()
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxSubscribers = 5 });
        var (_, followers, items, aborted) = await FollowAsync(singleflight);
        var drain = singleflight.DrainAsync(); // refuses whoever comes now

        await aborted.CancelAsync();

        var run = await _backend.NextRunAsync();
        run.Yield(7);
        run.End();
        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(7, item));
        foreach (var follower in followers) Assert.Empty(await follower.RestAsync());
        await drain.SoonAsync();
    }

    [Fact]
    public async Task Without_another_leader_the_readers_get_the_cancellation()
    {
        var singleflight = new Singleflight();
        await using var one = Read(singleflight);
        await using var two = Read(singleflight);
        var (first, second) = (one.NextAsync(), two.NextAsync());
        await singleflight.UntilSubscribersAsync(2);
        var cancellation = new OperationCanceledException("The library has given up.");

        (await _backend.NextRunAsync()).Fail(cancellation);

        Assert.Same(cancellation, await first.ThrowsAsync<OperationCanceledException>());
        Assert.Same(cancellation, await second.ThrowsAsync<OperationCanceledException>());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task Callers_that_come_before_the_source_begins_join_once()
    {
        var singleflight = new HookedSingleflight(new Singleflight(new SingleflightOptions { MaxSubscribers = 4 })) { Work = _gate.Task };
        var readers = Enumerable.Range(0, 4).Select(_ => Read(singleflight)).ToArray();
        var items = readers.Select(static reader => reader.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(4);

        _gate.SetResult();

        var run = await _backend.NextRunAsync();
        run.Yield(1);
        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(1, item));
        run.End();
        foreach (var reader in readers) Assert.Empty(await reader.RestAsync());
        Assert.Equal((1, 4, 3), (_backend.Runs, singleflight.GetStats().Calls, singleflight.GetStats().Coalesced));
    }

    [Fact]
    public async Task A_flight_that_is_forgotten_before_its_source_begins_is_read_by_its_subscribers()
    {
        var singleflight = new HookedSingleflight(new Singleflight()) { Work = _gate.Task };
        var leader = Read(singleflight);
        await using var follower = Read(singleflight);
        var (first, second) = (leader.NextAsync(), follower.NextAsync());
        await singleflight.UntilSubscribersAsync(2);
        Assert.True(singleflight.Forget("key"));

        _gate.SetResult();

        (await _backend.NextRunAsync()).Yield(Enumerable.Range(0, 5000));
        Assert.Equal((0, 0), (await first, await second));
        await leader.DisposeAsync(); // the source is far ahead, and nobody else makes it go on
        for (var item = 1; item < 5000; item++) Assert.Equal(item, await follower.NextAsync());
    }

    [Fact]
    public async Task A_forgotten_flight_that_begins_late_does_not_hide_the_current_one()
    {
        var singleflight = new HookedSingleflight(new Singleflight()) { Work = _gate.Task };
        await using var forgotten = Read(singleflight);
        var old = forgotten.NextAsync();
        singleflight.Forget("key");
        singleflight.Work = Task.CompletedTask;
        await using var current = Read(singleflight);
        var first = current.NextAsync();
        (await _backend.NextRunAsync()).Yield(1);
        Assert.Equal(1, await first);
        _gate.SetResult();
        (await _backend.NextRunAsync()).Yield(2);
        Assert.Equal(2, await old);

        await using var late = Read(singleflight);

        Assert.Equal(1, await late.NextAsync());
    }

    [Fact]
    public async Task A_caller_leaves_before_the_source_begins()
    {
        using var leaving = new CancellationTokenSource();
        var singleflight = new HookedSingleflight(new Singleflight()) { Work = _gate.Task };
        await using var leader = Read(singleflight);
        var first = leader.NextAsync();
        await using var follower = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", _backend.Run, leaving.Token));
        var left = follower.NextAsync();

        await leaving.CancelAsync();

        await left.LeavesWithAsync(leaving.Token);
        _gate.SetResult();
        (await _backend.NextRunAsync()).Yield(1);
        Assert.Equal(1, await first);
    }

    [Fact]
    public async Task A_source_that_fails_before_its_followers_have_their_places_gives_them_its_items_first()
    {
        var singleflight = new HookedSingleflight(new Singleflight()) { Work = _gate.Task };
        var error = new IOException("The line is dead.");
        var readers = Enumerable.Range(0, 3).Select(_ => new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", _ => Source()))).ToArray();
        var items = readers.Select(static reader => reader.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(3);

        _gate.SetResult();

        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(1, item));
        foreach (var reader in readers)
        {
            Assert.Equal(2, await reader.NextAsync());
            Assert.Same(error, await reader.NextAsync().ThrowsAsync<IOException>());
        }

        async IAsyncEnumerable<int> Source()
        {
            await Task.CompletedTask;
            yield return 1;
            yield return 2;
            throw error;
        }
    }

    [Fact]
    public async Task Callers_past_the_limit_read_runs_of_their_own_also_on_the_thread_pool()
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxSubscribers = 1, Overflow = OverflowBehavior.RunAlone, StartOnThreadPool = true });
        await using var reader = Read(singleflight);
        var first = reader.NextAsync();
        var run = await _backend.NextRunAsync();
        await using var alone = Read(singleflight);
        var own = alone.NextAsync();
        var other = await _backend.NextRunAsync();
        run.End();
        await first.ThrowsAsync<InvalidOperationException>();
        other.Yield(2);
        other.End();

        Assert.Equal(2, await own);
        Assert.Empty(await alone.RestAsync());
    }

    // A leader whose source has its own token, which is the usual mistake, and followers.
    private async Task<(Task<int> Leader, StreamCaller<int>[] Followers, Task<int>[] Items, CancellationTokenSource Aborted)> FollowAsync(Singleflight singleflight)
    {
        var aborted = new CancellationTokenSource();
        var leader = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", _ => _backend.Run(aborted.Token), aborted.Token)).NextAsync();
        await _backend.NextRunAsync();
        var followers = Enumerable.Range(0, 4).Select(_ => Read(singleflight)).ToArray();
        var items = followers.Select(static follower => follower.NextAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(5);
        return (leader, followers, items, aborted);
    }

    private StreamCaller<int> Read(ISingleflight<string> singleflight, StreamOptions? options = null) =>
        new(singleflight.ExecuteStreamAsync("key", _backend.Run, options ?? new StreamOptions()));
}
