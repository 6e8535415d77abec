using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The guarantees of a cluster. Each node has its own connection.</summary>
public abstract partial class ClusterTests : IAsyncLifetime
{
    private const string Key = "post:12345";

    private readonly List<ConnectionMultiplexer> _connections = [];
    private readonly List<RedisSingleflight> _nodes = [];
    private readonly string _prefix = $"test:{Guid.NewGuid():N}";
    private readonly Backend<int> _backend = new();
    private RedisServer? _server;

    public async ValueTask InitializeAsync() => _server = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        foreach (var connection in _connections) await connection.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task All_callers_of_all_nodes_share_one_run()
    {
        var nodes = await NodesAsync(4);
        var callers = nodes.SelectMany(node => Enumerable.Range(0, 100).Select(_ => node.ExecuteAsync(Key, _backend.RunAsync).AsTask())).ToArray();
        foreach (var node in nodes) await node.UntilSubscribersAsync(100);
        var run = await _backend.NextRunAsync();
        await UntilAllWaitAsync(others: 3);
        await UntilDistinguishableAsync();
        run.Succeed(42);
        Assert.All(await Task.WhenAll(callers).SoonAsync(), result => Assert.Equal(42, result));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_caller_after_the_landing_starts_a_new_run()
    {
        var nodes = await NodesAsync(2);
        for (var round = 1; round <= 20; round++)
        {
            var call = nodes[round % 2].ExecuteAsync(Key, _backend.RunAsync).AsTask();
            (await _backend.NextRunAsync()).Succeed(round);
            Assert.Equal(round, await call.SoonAsync());
        }

        Assert.Equal(20, _backend.Runs);
    }

    [Fact]
    public async Task An_error_crosses_with_its_type_and_message()
    {
        var (leader, follower, run) = await LeaderAndFollowerAsync();
        run.Fail(new InvalidTimeZoneException("no such zone"));
        await leader.ThrowsAsync<InvalidTimeZoneException>();
        var remote = await follower.ThrowsAsync<RemoteFlightException>();
        Assert.Equal(("System.InvalidTimeZoneException", "no such zone", null), (remote.RemoteType, remote.RemoteMessage, remote.RemoteStackTrace));
    }

    [Fact]
    public async Task A_large_outcome_is_read_from_the_server_and_not_sent_with_the_message()
    {
        var nodes = await NodesAsync(2);
        var backend = new Backend<string>();
        var text = new string('x', 100_000);
        var leader = nodes[0].ExecuteAsync(Key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        var follower = nodes[1].ExecuteAsync(Key, backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        run.Succeed(text);
        Assert.Equal(text, await leader.SoonAsync());
        Assert.Equal(text, await follower.SoonAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task An_outcome_over_the_size_limit_is_produced_once_by_each_node()
    {
        var nodes = await NodesAsync(2, options => options.MaxPayloadBytes = 10);
        var backend = new Backend<string>();
        var leader = nodes[0].ExecuteAsync(Key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        var followers = Enumerable.Range(0, 5).Select(_ => nodes[1].ExecuteAsync(Key, backend.RunAsync).AsTask()).ToArray();
        await UntilAllWaitAsync(others: 1);
        run.Succeed("more than ten bytes");
        Assert.Equal("more than ten bytes", await leader.SoonAsync());
        (await backend.NextRunAsync()).Succeed("its own");
        Assert.All(await Task.WhenAll(followers).SoonAsync(), result => Assert.Equal("its own", result));
        Assert.Equal(2, backend.Runs);
    }

    [Fact]
    public async Task A_leader_that_is_disposed_releases_its_lease_at_once()
    {
        var nodes = await NodesAsync(3, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        var leader = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await _backend.NextRunAsync();
        var followers = nodes[1..].Select(node => node.ExecuteAsync(Key, _backend.RunAsync).AsTask()).ToArray();
        await UntilAllWaitAsync(others: 2);
        await nodes[0].DisposeAsync();
        await leader.ThrowsAsync<OperationCanceledException>();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.All(await Task.WhenAll(followers).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_leader_whose_callers_have_all_left_releases_its_lease_at_once()
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        using var aborted = new CancellationTokenSource();
        var leader = nodes[0].ExecuteAsync(Key, _backend.RunStubbornAsync, aborted.Token).AsTask();
        var hung = await _backend.NextRunAsync();
        var follower = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await follower.SoonAsync());
        hung.Succeed(1); // too late: no caller gets it
        var next = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(3);
        Assert.Equal(3, await next.SoonAsync());
    }

    [Fact]
    public async Task A_leader_that_vanishes_is_succeeded_by_exactly_one()
    {
        var nodes = await NodesAsync(4, options => options.LeaseDuration = TimeSpan.FromMilliseconds(500));
        var lease = await TakeLeaseAsync(TimeSpan.FromMilliseconds(500)); // it is never renewed
        var callers = nodes.Select(node => node.ExecuteAsync(Key, _backend.RunAsync).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.All(await Task.WhenAll(callers).SoonAsync(), result => Assert.Equal(7, result));
        Assert.Equal(1, _backend.Runs);
        Assert.True(await LastTokenAsync() > lease);
    }

    [Fact]
    public async Task Forget_applies_to_the_whole_cluster()
    {
        var nodes = await NodesAsync(2);
        var before = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var old = await _backend.NextRunAsync();
        Assert.True(old.Flight.IsCurrent);
        await nodes[1].ForgetAsync(Key);

        var after = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var fresh = await _backend.NextRunAsync();
        await Patience.UntilAsync(() => !old.Flight.IsCurrent, "the old leader has received the forget");
        var joined = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);

        old.Succeed(1); // only its own callers get it
        Assert.Equal(1, await before.SoonAsync());
        Assert.False(after.IsCompleted || joined.IsCompleted);
        fresh.Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        Assert.Equal(2, await joined.SoonAsync());
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task Callers_without_a_token_that_join_their_leading_node_share_its_outcome()
    {
        var node = (await NodesAsync(1))[0];
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var callers = Enumerable.Range(0, 100).Select(_ => node.ExecuteAsync(Key, _backend.RunAsync).AsTask()).ToArray();
        await node.UntilSubscribersAsync(101);
        Assert.Same(callers[^2], callers[^1]);
        var ofScheduler = await Task.Factory.StartNew(
            () => node.ExecuteAsync(Key, _backend.RunAsync).AsTask(), CancellationToken.None, TaskCreationOptions.None, new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler).SoonAsync();
        Assert.NotSame(callers[^1], ofScheduler); // it may resume on a scheduler that blocks
        run.Succeed(42);
        Assert.All(await Task.WhenAll([leader, .. callers, ofScheduler]).SoonAsync(), result => Assert.Equal(42, result));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task Callers_without_a_token_that_came_long_before_a_forget_get_the_old_outcome()
    {
        var clock = new FakeTimeProvider();
        var nodes = await NodesAsync(2, options => (options.LeaseDuration, options.TimeProvider) = (TimeSpan.FromSeconds(3), clock));
        var before = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var old = await _backend.NextRunAsync();
        var first = Join(); // the first caller without a token joins in another way than those after it
        var certain = Join();
        Assert.Same(certain, Join());
        await HeartbeatAsync(clock);
        await HeartbeatAsync(clock); // sent after the first one was granted
        var unsure = Join();
        Assert.NotSame(certain, unsure); // those that come between two heartbeats share a task
        clock.Advance(TimeSpan.FromMilliseconds(1)); // it came after the last heartbeat

        await nodes[1].ForgetAsync(Key);
        await Patience.UntilAsync(() => !old.Flight.IsCurrent, "the leader has received the forget");
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        Assert.Equal(1, await first.SoonAsync());
        Assert.Equal(1, await certain.SoonAsync());
        var fresh = await _backend.NextRunAsync();
        Assert.False(unsure.IsCompleted);
        fresh.Succeed(2);
        Assert.Equal(2, await unsure.SoonAsync());

        Task<int> Join() => nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
    }

    [Fact]
    public async Task A_publish_without_the_lease_is_refused()
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        var before = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var old = await _backend.NextRunAsync();
        await DatabaseOf(0).KeyDeleteAsync(LeaseKey); // as after a failover that lost it
        var after = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var fresh = await _backend.NextRunAsync();
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        await AnsweredAsync(_connections[0]); // all earlier commands have been executed
        Assert.False(after.IsCompleted);
        Assert.True(await DatabaseOf(0).KeyExistsAsync(LeaseKey));
        fresh.Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
    }

    [Fact]
    public async Task Lost_messages_cost_only_an_extra_poll()
    {
        var nodes = await NodesAsync(2);
        var leader = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var follower = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        await _connections[1].GetSubscriber().UnsubscribeAllAsync(); // node 1 receives no more messages
        run.Succeed(1);
        Assert.Equal([1, 1], (await Task.WhenAll(leader, follower).SoonAsync()).AsEnumerable());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_join_window_bounds_staleness_across_nodes()
    {
        var nodes = await NodesAsync(2, engine: options => options.JoinWindow = TimeSpan.FromMilliseconds(50));
        var first = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var old = await _backend.NextRunAsync();
        var start = Stopwatch.GetTimestamp();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > TimeSpan.FromMilliseconds(60), "the window is past");
        var second = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await second.SoonAsync());
        old.Succeed(1);
        Assert.Equal(1, await first.SoonAsync());
    }

    [Fact]
    public async Task Halves_of_surrogate_pairs_are_different_keys()
    {
        var nodes = await NodesAsync(2);
        var one = nodes[0].ExecuteAsync("user\uD800", _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var other = nodes[1].ExecuteAsync("user\uDC01", _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await other.SoonAsync());
        first.Succeed(1);
        Assert.Equal(1, await one.SoonAsync());
    }

    [Fact]
    public async Task A_tuple_crosses_with_its_elements()
    {
        var nodes = await NodesAsync(2);
        var work = new TaskCompletionSource<(string Name, int Count)>();
        var leader = nodes[0].ExecuteAsync(Key, _ => work.Task).AsTask();
        await nodes[0].UntilSubscribersAsync(1);
        var follower = nodes[1].ExecuteAsync(Key, _ => work.Task).AsTask();
        await UntilAllWaitAsync(others: 2);
        work.SetResult(("a", 1));
        Assert.Equal([("a", 1), ("a", 1)], await Task.WhenAll(leader, follower).SoonAsync());
    }

    [Fact]
    public async Task An_error_whose_message_throws_still_releases_the_lease()
    {
        var (leader, follower, run) = await LeaderAndFollowerAsync();
        run.Fail(new NoMessageException());
        await Patience.UntilAsync(() => leader.IsFaulted, "the leader's caller has the error");
        Assert.IsType<NoMessageException>(leader.Exception!.InnerException);
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await follower.SoonAsync());
    }

    [Fact]
    public async Task A_forgotten_flight_that_waits_does_not_disturb_the_newer_leader_on_its_node()
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        var remote = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var waits = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        await nodes[1].ForgetAsync(Key);
        var leads = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        first.Succeed(1);
        Assert.Equal(1, await remote.SoonAsync());

        (await _backend.NextRunAsync()).Succeed(2); // either of the two leads, and the other waits for it
        Assert.Equal((2, 2), (await leads.SoonAsync(), await waits.SoonAsync()));
        Assert.Equal(2, _backend.Runs);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task After_a_forget_a_node_that_waited_and_its_new_callers_share_one_run(int forgetting)
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        var before = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var old = await _backend.NextRunAsync();
        var waited = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        await nodes[forgetting].ForgetAsync(Key);
        var fresh = await _backend.NextRunAsync(); // the run of the node that waited, which leads now
        await Patience.UntilAsync(() => !old.Flight.IsCurrent, "the old leader has received the forget");
        var after = Enumerable.Range(0, 10).SelectMany(_ => nodes.Select(node => node.ExecuteAsync(Key, _backend.RunAsync).AsTask())).ToArray();
        await UntilAllWaitAsync(others: 2);
        await UntilDistinguishableAsync();
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        fresh.Succeed(2);
        Assert.Equal(2, await waited.SoonAsync());
        Assert.All(await Task.WhenAll(after).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_leader_that_has_lost_its_lease_can_no_longer_be_joined()
    {
        var nodes = await NodesAsync(1, options => options.LeaseDuration = TimeSpan.FromMilliseconds(300));
        var before = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var old = await _backend.NextRunAsync();
        await DatabaseOf(0).KeyDeleteAsync(LeaseKey); // as after a forget whose message was lost
        await Patience.UntilAsync(() => !old.Flight.IsCurrent, "a heartbeat has found the lease gone");
        await Patience.UntilAsync(() => _nodes[0].Forget(Key) is false, "no flight can be joined");
        var after = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
    }

    [Fact]
    public async Task A_flight_without_waiting_nodes_leaves_only_a_small_record_for_two_leases()
    {
        var lease = TimeSpan.FromMinutes(5);
        var nodes = await NodesAsync(1, options => options.LeaseDuration = lease);
        await nodes[0].ExecuteAsync(Key, static _ => ValueTask.FromResult(1));
        var stem = $"{_prefix}:{{{Key}}}:{Key}:";
        Assert.InRange((await DatabaseOf(0).KeyTimeToLiveAsync(stem + "last"))!.Value, TimeSpan.FromSeconds(1), 2 * lease);
        foreach (var gone in new[] { "lease", "outcome", "waiting" }) Assert.False(await DatabaseOf(0).KeyExistsAsync(stem + gone), gone);
    }

    [Fact]
    public async Task Keys_of_any_kind_are_distinguished()
    {
        var nodes = await NodesAsync(2);
        string[] keys = ["", "a", "a}b", "{a}", "a{b}c", "ключ", " ", "a:lease", new('x', 5_000)];
        foreach (var key in keys)
        {
            var leader = nodes[0].ExecuteAsync(key, _backend.RunAsync).AsTask();
            var run = await _backend.NextRunAsync();
            var follower = nodes[1].ExecuteAsync(key, _backend.RunAsync).AsTask();
            await UntilAllWaitAsync(others: 1);
            run.Succeed(key.Length);
            Assert.Equal(key.Length, await leader.SoonAsync());
            Assert.Equal(key.Length, await follower.SoonAsync());
        }

        Assert.Equal(keys.Length, _backend.Runs);
    }

    protected abstract Task<RedisServer> StartAsync();

    private RedisKey LeaseKey => $"{_prefix}:{{{Key}}}:{Key}:lease";

    private IDatabase DatabaseOf(int node) => _connections[node].GetDatabase();

    private async Task<RedisSingleflight[]> NodesAsync(int count, Action<RedisSingleflightOptions>? configure = null, Action<SingleflightOptions>? engine = null)
    {
        for (var i = 0; i < count; i++)
        {
            var options = new RedisSingleflightOptions { KeyPrefix = _prefix, CommandTimeout = TimeSpan.FromSeconds(10) };
            configure?.Invoke(options);
            var engineOptions = new SingleflightOptions { MaxDuration = TimeSpan.FromMinutes(2) };
            engine?.Invoke(engineOptions);
            _connections.Add(await _server!.ConnectAsync());
            _nodes.Add(new RedisSingleflight(_connections[^1], engineOptions, options));
            await _nodes[^1].ExecuteAsync($"warm-up {i}", static _ => ValueTask.FromResult(0));
        }

        return [.. _nodes];
    }

    private async Task<(Task<int> Leader, Task<int> Follower, BackendRun<int> Run)> LeaderAndFollowerAsync()
    {
        var nodes = await NodesAsync(2);
        var leader = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var follower = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilAllWaitAsync(others: 1);
        return (leader, follower, run);
    }

    // A subscribed node sends its command within the call. The answer to a later ping therefore comes after the answer to that command.
    private async Task UntilAllWaitAsync(int others)
    {
        await Patience.UntilAsync(() => _nodes.Count(node => node.GetStats().InFlightCount > 0) >= others, "all nodes have a flight");
        foreach (var connection in _connections) await AnsweredAsync(connection);
    }

    // For leases of three seconds. The heartbeat sleeps by the machine's clock, and then reads the node's clock to see whether the lease is due.
    private async Task HeartbeatAsync(FakeTimeProvider clock)
    {
        await Patience.UntilAsync(() => LeaseLeft() < TimeSpan.FromSeconds(2.5), "a part of the lease is over");
        var left = LeaseLeft();
        clock.Advance(TimeSpan.FromSeconds(0.8));
        await Patience.UntilAsync(() => LeaseLeft() > left, "the lease has been extended");

        TimeSpan? LeaseLeft() => DatabaseOf(0).KeyTimeToLive(LeaseKey);
    }

    // A caller within a round trip before the landing cannot be distinguished from one after it.
    private static async Task UntilDistinguishableAsync()
    {
        var start = Stopwatch.GetTimestamp();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(1), "more than a round trip has passed");
    }

    private static async Task AnsweredAsync(ConnectionMultiplexer connection) => await Task.WhenAll(connection.GetServers().Select(server => server.PingAsync()));

    private async Task<long> TakeLeaseAsync(TimeSpan duration)
    {
        var token = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1_000;
        await using var connection = await _server!.ConnectAsync();
        await connection.GetDatabase().StringSetAsync(LeaseKey, $"{token}|vanished-node", duration);
        return token;
    }

    private async Task<long> LastTokenAsync() => long.Parse(((string?)await DatabaseOf(0).StringGetAsync($"{_prefix}:{{{Key}}}:{Key}:last"))!.Split('|')[0], CultureInfo.InvariantCulture);

    private sealed class NoMessageException : Exception
    {
        public override string Message => throw new InvalidTimeZoneException();
    }
}
