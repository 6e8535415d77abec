using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>A real server that is missing, killed and restarted, or paused. No caller hangs, and none gets an outcome that it must not share.</summary>
public sealed partial class OutageTests(ITestOutputHelper output)
{
    private const string Key = "post:12345";
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Without_a_server_a_node_coalesces_its_own_calls()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=200");
        await using var node = new RedisSingleflight(connection, null, new RedisSingleflightOptions { CommandTimeout = TimeSpan.FromMilliseconds(100) });
        var callers = Enumerable.Range(0, 100).Select(_ => node.ExecuteAsync(Key, _backend.RunAsync).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(100, (await Task.WhenAll(callers).SoonAsync()).Sum());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_call_without_a_server_fails_if_the_options_say_so()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=200");
        await using var node = new RedisSingleflight(connection, null, new RedisSingleflightOptions { CommandTimeout = TimeSpan.FromMilliseconds(100), OnOutage = OutageBehavior.Fail });
        await Assert.ThrowsAsync<ClusterUnavailableException>(async () => await node.ExecuteAsync(Key, _backend.RunAsync));
        Assert.Equal(0, _backend.Runs);
    }

    [Fact]
    public async Task A_heartbeat_whose_server_is_gone_does_not_keep_a_processor_busy()
    {
        var (clock, lease) = (new ThrowingClock(), TimeSpan.FromSeconds(3));
        var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var node = new RedisSingleflight(connection, null, new RedisSingleflightOptions { TimeProvider = clock, LeaseDuration = lease });
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var start = clock.GetTimestamp();
        await server.DisposeAsync();
        await Patience.UntilAsync(() => clock.GetElapsedTime(start) > lease, "the lease has run out");
        Assert.InRange(clock.HeartbeatReadings, 1, 1_000); // a few for each attempt, of which about ten fit into a lease
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
    }

    [Fact]
    public async Task A_server_that_is_killed_and_restarted_during_a_flight_fails_no_call()
    {
        var server = await RedisServer.StartRedisAsync();
        var (connections, nodes) = await NodesAsync(server, 2);
        var leader = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var follower = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var start = Stopwatch.GetTimestamp();
        await server.DisposeAsync();

        // The follower receives no more messages and runs alone, so that each node has at most one run.
        var second = await _backend.NextRunAsync();
        output.WriteLine($"The waiting node ran alone {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms after the kill.");
        first.Succeed(1);
        second.Succeed(2);
        Assert.Equal((1, 2), (await leader.SoonAsync(), await follower.SoonAsync()));

        await using var again = await RedisServer.StartRedisAsync(server.Port);
        start = Stopwatch.GetTimestamp();
        await Patience.UntilAsync(() => connections.TrueForAll(connection => connection.IsConnected), "both connections are back");
        await UntilSharedAsync(connections, nodes);
        output.WriteLine($"The nodes shared runs again {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms after the restart.");
        await DisposeAsync(connections, nodes);
    }

    [Fact]
    public async Task A_paused_server_delays_callers_by_at_most_the_command_timeout_and_a_poll()
    {
        await using var server = await RedisServer.StartRedisAsync();
        var (connections, nodes) = await NodesAsync(server, 2);
        Assert.Equal(0, Kill(server.Process.Id, Stop));
        try
        {
            var start = Stopwatch.GetTimestamp();
            var callers = nodes.SelectMany(node => Enumerable.Range(0, 50).Select(_ => node.ExecuteAsync(Key, _backend.RunAsync).AsTask())).ToArray();
            for (var run = 0; run < 2; run++) (await _backend.NextRunAsync()).Succeed(1);
            Assert.Equal(100, (await Task.WhenAll(callers).SoonAsync()).Sum());
            output.WriteLine($"All callers had their outcome {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms into the pause.");
            Assert.Equal(2, _backend.Runs);
        }
        finally
        {
            Assert.Equal(0, Kill(server.Process.Id, Continue));
        }

        await UntilSharedAsync(connections, nodes);
        await DisposeAsync(connections, nodes);
    }

    [Fact]
    public async Task A_connection_that_is_cut_after_the_lease_was_taken_hangs_no_caller()
    {
        await using var server = RedisServer.StartGarnet();
        await using var proxy = new FaultyProxy(server.Port);
        await using var cut = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{proxy.Port},abortConnect=false,connectRetry=10");
        await using var whole = await server.ConnectAsync();
        var options = new RedisSingleflightOptions { LeaseDuration = TimeSpan.FromMinutes(5), CommandTimeout = TimeSpan.FromSeconds(5) };
        await using var first = new RedisSingleflight(cut, null, options);
        await using var second = new RedisSingleflight(whole, null, options);
        foreach (var node in new[] { first, second }) await node.ExecuteAsync("warm-up", static _ => ValueTask.FromResult(0));

        proxy.CutNextScript();
        var start = Stopwatch.GetTimestamp();
        var leader = first.ExecuteAsync(Key, _backend.RunAsync).AsTask(); // it has the lease, does not know it, and asks for it again
        var run = await _backend.NextRunAsync();
        output.WriteLine($"The node whose reply was lost led {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms later.");
        Assert.Equal(1, proxy.Cuts);
        var follower = second.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await second.UntilSubscribersAsync(1);
        await whole.GetDatabase().PingAsync();
        run.Succeed(1);
        Assert.Equal((1, 1), (await leader.SoonAsync(), await follower.SoonAsync()));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_leader_whose_work_hangs_is_replaced_when_its_flight_expires()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        var clock = new FakeTimeProvider();
        await using var hanging = new RedisSingleflight(connection, new SingleflightOptions { MaxDuration = TimeSpan.FromSeconds(30), TimeProvider = clock });
        await using var waiting = new RedisSingleflight(connection, new SingleflightOptions { MaxDuration = TimeSpan.FromMinutes(1) });
        foreach (var node in new[] { hanging, waiting }) await node.ExecuteAsync("warm-up", static _ => ValueTask.FromResult(0));

        var leader = hanging.ExecuteAsync(Key, _backend.RunStubbornAsync).AsTask();
        var hung = await _backend.NextRunAsync();
        var follower = waiting.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await waiting.UntilSubscribersAsync(1);
        clock.Advance(TimeSpan.FromSeconds(30));
        await leader.ThrowsAsync<FlightTimeoutException>();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await follower.SoonAsync());
        hung.Succeed(1); // it is not published
        var next = waiting.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(3);
        Assert.Equal(3, await next.SoonAsync());
    }

    [Fact]
    public async Task A_leader_whose_primary_is_gone_does_not_believe_a_replica_that_knows_no_lease()
    {
        await using var primary = await RedisServer.StartRedisAsync();
        await using var replica = await RedisServer.StartRedisAsync(null, "--replicaof", "127.0.0.1", $"{primary.Port}");
        await UntilFollowsAsync(replica);
        await using var connection = await RedisServer.At([primary, replica]).ConnectAsync();
        var services = new ServiceCollection();
        services.AddFakeLogging();
        services.AddSingleflight("posts").UseRedis(_ => connection, options => (options.LeaseDuration, options.OnLostLease) = (TimeSpan.FromSeconds(12), LostLeaseBehavior.Cancel));
        await using var provider = services.BuildServiceProvider();
        var leader = provider.GetRequiredKeyedService<ISingleflight>("posts").ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var run = await _backend.NextRunAsync();

        primary.Process.Kill();
        await Patience.UntilAsync(() => connection.GetServers().Any(server => !server.IsConnected), "the connection to the primary is lost");
        await Patience.UntilAsync(() => run.Flight.CancellationToken.IsCancellationRequested || provider.GetFakeLogCollector().GetSnapshot().Any(entry => entry.Id.Id == 105), "the heartbeat has been sent");
        Assert.False(run.Flight.CancellationToken.IsCancellationRequested, "The lease was given up.");
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
    }

    [Fact]
    public async Task A_forget_that_a_failover_has_lost_still_applies()
    {
        await using var primary = await RedisServer.StartRedisAsync();
        await using var replica = await RedisServer.StartRedisAsync(null, "--replicaof", "127.0.0.1", $"{primary.Port}");
        await UntilFollowsAsync(replica);
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{replica.ConnectionString},allowAdmin=true");
        await using var connection = await RedisServer.At([primary, replica]).ConnectAsync();
        await using var remote = await primary.ConnectAsync();
        var options = new RedisSingleflightOptions { LeaseDuration = TimeSpan.FromMinutes(5), CommandTimeout = TimeSpan.FromSeconds(10) };
        await using var node = new RedisSingleflight(connection, null, options);
        await using var other = new RedisSingleflight(remote, null, options);
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        await remote.GetDatabase().StringSetAsync("mark", 1);
        await Patience.UntilAsync(() => admin.GetDatabase().KeyExists("mark"), "the replica has all that was written before");

        await connection.GetSubscriber().UnsubscribeAllAsync(); // the leader receives no more messages
        await admin.GetServers()[0].ExecuteAsync("REPLICAOF", "NO", "ONE");
        await other.ForgetAsync(Key); // only the old primary has it
        primary.Process.Kill();
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWritesAsync(connection);
        first.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
    }

    private static async Task UntilFollowsAsync(RedisServer replica)
    {
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{replica.ConnectionString},allowAdmin=true");
        await Patience.UntilAsync(() => admin.GetServers()[0].InfoRaw("replication")!.Contains("master_link_status:up", StringComparison.Ordinal), "the replica follows");
    }

    private static async Task UntilWritesAsync(ConnectionMultiplexer connection)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < Patience.Limit)
        {
            try
            {
                await connection.GetDatabase().StringSetAsync("writes", 1);
                return;
            }
            catch (RedisException)
            {
                await connection.ConfigureAsync(); // it finds that the replica is the primary now
            }
        }
    }

    private const int Stop = 19;
    private const int Continue = 18;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    private static async Task<(List<ConnectionMultiplexer> Connections, List<RedisSingleflight> Nodes)> NodesAsync(RedisServer server, int count)
    {
        var connections = new List<ConnectionMultiplexer>();
        var nodes = new List<RedisSingleflight>();
        for (var i = 0; i < count; i++)
        {
            connections.Add(await server.ConnectAsync());
            nodes.Add(new RedisSingleflight(connections[^1], null, new RedisSingleflightOptions { CommandTimeout = TimeSpan.FromMilliseconds(500) }));
            await nodes[^1].ExecuteAsync($"warm-up {i}", static _ => ValueTask.FromResult(0));
        }

        return (connections, nodes);
    }

    // When the circuit has closed by itself, both nodes share a run.
    private static async Task UntilSharedAsync(List<ConnectionMultiplexer> connections, List<RedisSingleflight> nodes)
    {
        var patience = Stopwatch.GetTimestamp();
        for (var round = 0; ; round++)
        {
            Assert.True(Stopwatch.GetElapsedTime(patience) < Patience.Limit, "The nodes do not share a run again.");
            var runs = 0;
            var key = $"again {round}";
            var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var calls = Task.WhenAll(nodes.Select(node => node.ExecuteAsync(key, async _ =>
            {
                Interlocked.Increment(ref runs);
                await go.Task;
                return 0;
            }).AsTask()));
            await Patience.UntilAsync(() => Volatile.Read(ref runs) > 0, "a node leads");
            foreach (var connection in connections) await connection.GetDatabase().PingAsync(); // the answer comes after that to the node's command
            go.SetResult();
            await calls.SoonAsync();
            if (runs == 1) return;
        }
    }

    private static async Task DisposeAsync(List<ConnectionMultiplexer> connections, List<RedisSingleflight> nodes)
    {
        foreach (var node in nodes) await node.DisposeAsync();
        foreach (var connection in connections) await connection.DisposeAsync();
    }
}
