using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Garnet;
using Medallion.Threading.Redis;
using RequestCoalescing.Benchmarks.Quick;
using StackExchange.Redis;

namespace RequestCoalescing.Benchmarks.Cluster;

/// <summary>
/// Measures nodes that each have a connection of their own, on one machine: the commands of a flight, the time until a waiting node has the
/// outcome, and the bytes that a flight allocates on the leading node. The usual way, a lock around a shared value, runs beside it.
/// </summary>
internal static class ClusterRun
{
    private const int Flights = 60;
    private const int MeasuredFlights = 20_000;
    private static readonly TimeSpan s_work = TimeSpan.FromMilliseconds(30);

    public static async Task RunAsync(string? redis, TextWriter output)
    {
        using var server = redis is null ? Start(out redis) : null;
        var rows = new List<string>();
        foreach (var nodes in new[] { 4, 16 })
        {
            var connections = await Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => ConnectionMultiplexer.ConnectAsync(redis)));
            rows.Add(await CoalescedAsync(connections));
            rows.Add(await LockedAsync(connections));
            foreach (var connection in connections) await connection.DisposeAsync();
        }

        await output.WriteLineAsync("| nodes | | delay of the outcome at a waiting node, p50 | p99 | commands of the leader | of a waiting node |");
        await output.WriteLineAsync("|---:|---|---:|---:|---:|---:|");
        foreach (var row in rows) await output.WriteLineAsync(row);
        if (server is not null) return; // an embedded server allocates in the same process
        await output.WriteLineAsync();
        QuickRun.RunJoinsThroughRedis(output, redis);
        await output.WriteLineAsync();
        await output.WriteLineAsync($"A flight allocates {await AllocatedAsync(redis):N0} bytes on the leading node, its result of four bytes included.");
    }

    // Flights that no other caller joins, one after the other: all of them lead.
    private static async Task<long> AllocatedAsync(string redis)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis);
        await using var node = new RedisSingleflight(connection);
        var before = 0L;
        for (var flight = -MeasuredFlights; flight < MeasuredFlights; flight++)
        {
            if (flight == 0) before = GC.GetTotalAllocatedBytes(precise: true);
            await node.ExecuteAsync("flight", static _ => ValueTask.FromResult(42));
        }

        return (GC.GetTotalAllocatedBytes(precise: true) - before) / MeasuredFlights;
    }

    private static async Task<string> CoalescedAsync(ConnectionMultiplexer[] connections)
    {
        var trips = new ConcurrentDictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "singleflight.redis.round_trips") listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) => trips.AddOrUpdate((string)tags[0].Value!, count, (_, before) => before + count));
        listener.Start();

        // The nodes share the prefix of their keys, and count their commands under their own names.
        var nodes = connections.Select((connection, i) => new ClusterNode($"node {i}", connection)).ToArray();
        foreach (var node in nodes) await node.Singleflight.ExecuteAsync($"warm-up {node.Name}", static _ => ValueTask.FromResult(0));
        var latencies = new ConcurrentBag<double>();
        var (leaderTrips, waiterTrips, waiters) = (0L, 0L, 0L);
        for (var flight = 0; flight < Flights; flight++)
        {
            trips.Clear();
            var (endedAt, leader) = (0L, "");
            await Task.WhenAll(nodes.Select(async node =>
            {
                await node.Singleflight.ExecuteAsync($"flight {flight}", async token =>
                {
                    leader = node.Name;
                    await Task.Delay(s_work, token);
                    Volatile.Write(ref endedAt, Stopwatch.GetTimestamp());
                    return 42;
                });
                if (node.Name != leader) latencies.Add(Stopwatch.GetElapsedTime(endedAt).TotalMilliseconds);
            }));
            leaderTrips += trips.GetValueOrDefault(leader);
            waiterTrips += trips.Where(node => node.Key != leader).Sum(node => node.Value);
            waiters += nodes.Length - 1;
        }

        foreach (var node in nodes) await node.DisposeAsync();
        return Row(nodes.Length, "RequestCoalescing.Redis", latencies, (double)leaderTrips / Flights, (double)waiterTrips / waiters);
    }

    // Each node looks for the value. If there is none, it takes the lock, looks again, and produces the value. The lock polls, as it does by default.
    private static async Task<string> LockedAsync(ConnectionMultiplexer[] connections)
    {
        var latencies = new ConcurrentBag<double>();
        for (var flight = 0; flight < Flights; flight++)
        {
            var key = $"locked {Guid.NewGuid():N}";
            var (endedAt, leader) = (0L, -1);
            await Task.WhenAll(connections.Select(async (connection, node) =>
            {
                var database = connection.GetDatabase();
                if ((await database.StringGetAsync(key)).HasValue) return;
                await using (await new RedisDistributedLock($"{key}:lock", database).AcquireAsync())
                {
                    if ((await database.StringGetAsync(key)).HasValue)
                    {
                        latencies.Add(Stopwatch.GetElapsedTime(Volatile.Read(ref endedAt)).TotalMilliseconds);
                        return;
                    }

                    leader = node;
                    await Task.Delay(s_work);
                    Volatile.Write(ref endedAt, Stopwatch.GetTimestamp());
                    await database.StringSetAsync(key, 42, TimeSpan.FromSeconds(10));
                }
            }));
        }

        return Row(connections.Length, "DistributedLock.Redis around a shared value", latencies, null, null);
    }

    private static string Row(int nodes, string name, ConcurrentBag<double> latencies, double? leader, double? waiter)
    {
        var sorted = latencies.Order().ToArray();
        string Of(double part) => sorted.Length == 0 ? "-" : sorted[(int)Math.Ceiling(part * sorted.Length) - 1].ToString("N1", CultureInfo.InvariantCulture) + " ms";
        string Trips(double? trips) => trips?.ToString("N2", CultureInfo.InvariantCulture) ?? "";
        return $"| {nodes} | {name} | {Of(0.5)} | {Of(0.99)} | {Trips(leader)} | {Trips(waiter)} |";
    }

    private static GarnetServer Start(out string connectionString)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var server = new GarnetServer(["--bind", "127.0.0.1", "--port", $"{port}", "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--index", "16m"]);
        server.Start();
        connectionString = $"127.0.0.1:{port}";
        return server;
    }
}
