using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The traffic that nodes cause, as the server counts it.</summary>
public sealed class TrafficTests : IAsyncLifetime
{
    private readonly Backend<string> _backend = new();
    private readonly List<(ConnectionMultiplexer Connection, RedisSingleflight Node)> _nodes = [];
    private RedisServer _server = null!;
    private ConnectionMultiplexer _admin = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartRedisAsync();
        _admin = await ConnectionMultiplexer.ConnectAsync($"{_server.ConnectionString},allowAdmin=true");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (connection, node) in _nodes)
        {
            await node.DisposeAsync();
            await connection.DisposeAsync();
        }

        if (_admin is not null) await _admin.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
    }

    [Fact]
    public async Task Traffic_grows_with_the_nodes_that_wait_and_not_with_the_idle_ones()
    {
        await AddNodesAsync(2);
        var alone = await BytesOfAsync(flights: 20);
        await AddNodesAsync(62);
        var among = await BytesOfAsync(flights: 20);
        Assert.InRange(among, 0, 1.5 * alone);
    }

    [Fact]
    public async Task A_node_that_waits_for_up_to_a_lease_sends_at_most_two_commands()
    {
        const int Waiting = 8;
        var lease = TimeSpan.FromSeconds(2);
        await AddNodesAsync(1 + Waiting, lease);
        var before = await CountAsync("commandstats", "cmdstat_eval(?:sha)?:calls=");
        var start = Stopwatch.GetTimestamp();
        var calls = _nodes.Select(node => node.Node.ExecuteAsync("post", _backend.RunAsync).AsTask()).ToArray();
        var run = await _backend.NextRunAsync();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > lease * 0.9, "the lease is nearly over");
        run.Succeed("value");
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal("value", result));
        var after = await CountAsync("commandstats", "cmdstat_eval(?:sha)?:calls=");
        const int Leaders = 2 + 8; // enter and publish, and heartbeats from a quarter of the lease on
        Assert.InRange(after - before, 1 + Waiting, (2 * Waiting) + Leaders);
        Assert.Equal(1, _backend.Runs);
    }

    private async Task<long> BytesOfAsync(int flights)
    {
        var before = await CountAsync("stats", "total_net_output_bytes:");
        for (var flight = 0; flight < flights; flight++)
        {
            var calls = _nodes.Take(2).Select(node => node.Node.ExecuteAsync($"{flight}", _backend.RunAsync).AsTask()).ToArray();
            var run = await _backend.NextRunAsync();
            foreach (var (connection, _) in _nodes.Take(2)) await connection.GetDatabase().PingAsync(); // the answer comes after that to the node's command
            run.Succeed(new string('x', 8_000));
            await Task.WhenAll(calls).SoonAsync();
        }

        return await CountAsync("stats", "total_net_output_bytes:") - before;
    }

    private async Task<long> CountAsync(string section, string what)
    {
        var info = await _admin.GetServers()[0].InfoRawAsync(section);
        return Regex.Matches(info!, $"{what}([0-9]+)").Sum(found => long.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    private async Task AddNodesAsync(int count, TimeSpan? lease = null)
    {
        var connections = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => _server.ConnectAsync()));
        foreach (var connection in connections)
        {
            var node = new RedisSingleflight(connection, null, new RedisSingleflightOptions { LeaseDuration = lease ?? TimeSpan.FromMinutes(1), CommandTimeout = TimeSpan.FromSeconds(20) });
            _nodes.Add((connection, node));
            await node.ExecuteAsync($"warm-up {_nodes.Count}", static _ => ValueTask.FromResult(0));
        }
    }
}
