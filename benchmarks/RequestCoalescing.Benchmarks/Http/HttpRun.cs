using System.Diagnostics;
using System.Globalization;
using RequestCoalescing.Http;

namespace RequestCoalescing.Benchmarks.Http;

/// <summary>Measures proxies in front of one origin: a burst of equal requests, of private ones, distinct requests, a large body for many; and the handler.</summary>
internal static class HttpRun
{
    private const int Clients = 5_000;
    private const int Readers = 200;
    private const int WarmUps = 5;
    private const int Rounds = 9;
    private const int DistinctWarmUps = 10; // until .NET has compiled all of it for the last time

    // A server that takes a minute for a burst has one more of them to warm up, and one that is measured.
    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(20);

    /// <param name="output">Gets the tables.</param>
    /// <param name="only">Chooses the tables: <c>--bursts</c> or <c>--distinct</c>. Null makes all of them.</param>
    public static async Task RunAsync(TextWriter output, string? only)
    {
        await using var origin = await Origin.StartAsync();
        var servers = new List<Server> { Server.Bare(origin.Port), await Server.YarpAsync(origin.Port), await Server.CoalescingAsync(origin.Port) };
        if (await Server.NginxAsync(origin.Port) is { } nginx) servers.Add(nginx);
        if (await Server.VarnishAsync(origin.Port) is { } varnish) servers.Add(varnish);
        try
        {
            if (only == "--distinct")
            {
                await WriteDistinctAsync(output, servers);
                return;
            }

            await output.WriteLineAsync($"| {Clients:N0} connections ask for one page at once, which takes 100 ms, median of {Rounds} bursts | origin calls | p50 | p99 | failed |");
            await output.WriteLineAsync("|---|---:|---:|---:|---:|");
            foreach (var server in servers) await WriteBurstsAsync(output, origin, server, "page", bursts: 1);
            await output.WriteLineAsync();
            await output.WriteLineAsync("| the same, with `Cache-Control: private` | origin calls | p50 | p99 | failed |");
            await output.WriteLineAsync("|---|---:|---:|---:|---:|");
            foreach (var server in servers) await WriteBurstsAsync(output, origin, server, "private", bursts: 2);
            if (only == "--bursts") return;
            await output.WriteLineAsync();
            await WriteDistinctAsync(output, servers);
            await output.WriteLineAsync();
            await output.WriteLineAsync($"| {Readers} readers of a body of 64 MiB | origin calls | all in | MiB a second | most memory |");
            await output.WriteLineAsync("|---|---:|---:|---:|---:|");
            foreach (var server in servers) await WriteLargeAsync(output, origin, server);
            await output.WriteLineAsync();
            await WriteHandlerAsync(output, origin);
        }
        finally
        {
            foreach (var server in servers) await server.DisposeAsync();
        }
    }

    private static async Task WriteBurstsAsync(TextWriter output, Origin origin, Server server, string kind, int bursts)
    {
        using var crowd = await Crowd.ConnectAsync(server.Port, Clients);
        var isSlow = false;
        for (var warm = 0; warm < WarmUps && !isSlow; warm++)
        {
            var start = Stopwatch.GetTimestamp();
            await crowd.AskAsync($"{(warm == 0 ? "short" : kind)}-warm-{warm}-{server.Port}"); // lets .NET compile what a burst runs
            isSlow = Stopwatch.GetElapsedTime(start) > s_slow;
            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        var rounds = new List<(int Calls, double P50, double P99, int Failed)>[bursts];
        for (var burst = 0; burst < bursts; burst++) rounds[burst] = [];
        while (rounds[0].Count < (isSlow ? 1 : Rounds))
        {
            var page = $"{kind}-{Guid.NewGuid():n}";
            foreach (var burst in rounds)
            {
                origin.TakeCount();
                var (times, failed) = await crowd.AskAsync(page);
                burst.Add((origin.TakeCount(), times[times.Length / 2], times[(int)(times.Length * 0.99)], failed));
            }

            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        for (var burst = 0; burst < bursts; burst++)
        {
            int[] calls = [.. rounds[burst].Select(static round => round.Calls).Order()];
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"| {server.Name}{(bursts > 1 ? $", burst {burst + 1}" : "")} | {calls[calls.Length / 2]:N0}{(calls[0] == calls[^1] ? "" : $" ({calls[0]:N0} to {calls[^1]:N0})")} | {Median(rounds[burst].Select(static round => round.P50)):N0} ms | {Median(rounds[burst].Select(static round => round.P99)):N0} ms | {rounds[burst].Sum(static round => round.Failed)} |"));
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    // In turn, so that a machine whose speed changes is fair to all.
    private static async Task WriteDistinctAsync(TextWriter output, List<Server> servers)
    {
        await output.WriteLineAsync($"| distinct pages over 64 connections, the best of {Rounds} seconds | requests a second |");
        await output.WriteLineAsync("|---|---:|");
        var best = new double[servers.Count];
        var clients = servers.ConvertAll(static _ => Client(64));
        for (var round = -DistinctWarmUps; round < Rounds; round++)
        {
            for (var server = 0; server < servers.Count; server++)
            {
                var count = 0;
                var start = Stopwatch.GetTimestamp();
                await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
                {
                    while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1))
                    {
                        await clients[server].GetByteArrayAsync(new Uri($"http://127.0.0.1:{servers[server].Port}/short-{round}-{Interlocked.Increment(ref count)}"));
                    }
                })));
                if (round >= 0) best[server] = Math.Max(best[server], count / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        for (var server = 0; server < servers.Count; server++)
        {
            clients[server].Dispose();
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"| {servers[server].Name} | {best[server]:N0} |"));
        }
    }

    private static async Task WriteLargeAsync(TextWriter output, Origin origin, Server server)
    {
        using var client = Client(Readers);
        origin.TakeCount();
        var page = $"large-{Guid.NewGuid():n}";
        var start = Stopwatch.GetTimestamp();
        var bytes = (await Task.WhenAll(Enumerable.Range(0, Readers).Select(async _ =>
        {
            using var response = await client.GetAsync(new Uri($"http://127.0.0.1:{server.Port}/{page}"), HttpCompletionOption.ResponseHeadersRead);
            await using var body = await response.Content.ReadAsStreamAsync();
            var buffer = new byte[64 * 1024];
            var read = 0L;
            for (var count = -1; count != 0; read += count) count = await body.ReadAsync(buffer);
            return read;
        }))).Sum();
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (bytes != (long)Readers * Origin.LargeBytes) throw new InvalidOperationException($"{server.Name} has sent {bytes} bytes.");
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"| {server.Name} | {origin.TakeCount():N0} | {seconds:N1} s | {bytes / seconds / 1024 / 1024:N0} | {(server.PeakMemory == 0 ? "" : $"{server.PeakMemory:N0} MiB")} |"));
    }

    // A follower's cost, beside that of a request of its own.
    private static async Task WriteHandlerAsync(TextWriter output, Origin origin)
    {
        const int Followers = 1_000;
        using var bare = Client(Followers);
        using var handler = new CoalescingHandler { InnerHandler = new SocketsHttpHandler { MaxConnectionsPerServer = Followers } };
        using var coalesced = new HttpClient(handler, disposeHandler: false);
        await output.WriteLineAsync($"| {Followers:N0} requests for one short page at once | a request | allocated | ratio |");
        await output.WriteLineAsync("|---|---:|---:|---:|");
        var (single, singleBytes) = await MeasureAsync(bare);
        var (shared, sharedBytes) = await MeasureAsync(coalesced);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"| `HttpClient` | {single:N1} µs | {singleBytes:N0} B | |"));
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"| with `CoalescingHandler` | {shared:N1} µs | {sharedBytes:N0} B | {shared / single:N2} |"));

        async Task<(double Microseconds, double Bytes)> MeasureAsync(HttpClient client)
        {
            var (best, bytes) = (double.MaxValue, double.MaxValue);
            for (var round = 0; round < 30; round++)
            {
                var page = new Uri($"http://127.0.0.1:{origin.Port}/short-{Guid.NewGuid():n}");
                var (before, start) = (GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
                await Task.WhenAll(Enumerable.Range(0, Followers).Select(_ => client.GetByteArrayAsync(page)));
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / Followers);
                bytes = Math.Min(bytes, (GC.GetTotalAllocatedBytes() - before) / (double)Followers);
            }

            return (best, bytes);
        }
    }

    private static HttpClient Client(int connections) => new(new SocketsHttpHandler { MaxConnectionsPerServer = connections }) { Timeout = TimeSpan.FromMinutes(3) };
}
