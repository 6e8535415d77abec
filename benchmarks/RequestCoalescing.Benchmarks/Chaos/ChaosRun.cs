using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>
/// Random clients, two proxies (HTTP/1.1 and HTTP/2 without TLS) and a hostile origin. Every byte is checked, no client gets the response of another user, a body that breaks off
/// never looks whole, and memory stays within its bound. At the end, the proxies hold nothing.
/// </summary>
internal static class ChaosRun
{
    private static readonly string[] s_outcomes = ["whole", "whole, shared", "304", "502", "504", "broken off", "left", "nonsense"];

    /// <summary>Runs the command <c>--chaos MINUTES [SEED]</c>.</summary>
    /// <returns>The exit code: 0 if every promise was kept.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var duration = TimeSpan.FromMinutes(double.Parse(args[1], CultureInfo.InvariantCulture));
        var seed = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : Environment.TickCount;
        var ledger = await RunAsync((elapsed, _) => elapsed >= duration, clients: 200, seed, output);
        return ledger.Violations.Count == 0 ? 0 : 1;
    }

    /// <param name="isOver">Whether the clients stop, by the time that has passed and the outcomes so far.</param>
    /// <param name="clients">The number of clients.</param>
    /// <param name="seed">Decides what clients and origin do. Their timing differs from run to run.</param>
    /// <param name="output">Gets the table.</param>
    /// <returns>The outcomes, and what must not have happened.</returns>
    public static async Task<ChaosLedger> RunAsync(Func<TimeSpan, ChaosLedger, bool> isOver, int clients, int seed, TextWriter output)
    {
        var ledger = new ChaosLedger();
        await using var origin = new ChaosOrigin(seed);
        await using var first = await ChaosProxy.StartAsync(origin.Port, HttpVersion.Version11);
        await using var second = await ChaosProxy.StartAsync(origin.Port, HttpVersion.Version20);
        ChaosProxy[] proxies = [first, second];
        await output.WriteLineAsync($"Seed {seed}, {clients} clients.\n");
        await output.WriteLineAsync($"| second | at the origin | {string.Join(" | ", s_outcomes)} | buffered, most | memory |");
        await output.WriteLineAsync($"|---:|---:|{string.Concat(s_outcomes.Select(static _ => "---:|"))}---:|---:|");
        var clock = Stopwatch.StartNew();
        var crowd = Enumerable.Range(0, clients).Select(number => new ChaosClient(proxies, ledger, HashCode.Combine(seed, number))).ToArray();
        var running = Task.WhenAll(crowd.Select(client => Task.Run(() => client.RunAsync(() => clock.Elapsed, () => isOver(clock.Elapsed, ledger)))));
        var (buffered, written) = (0L, TimeSpan.Zero);
        while (!running.IsCompleted)
        {
            await Task.WhenAny(running, Task.Delay(500));
            foreach (var proxy in proxies) buffered = Math.Max(buffered, (await proxy.ReadAsync()).Buffered);
            if (clock.Elapsed - written < TimeSpan.FromSeconds(30) && !running.IsCompleted) continue;
            written = clock.Elapsed;
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"| {written.TotalSeconds:N0} | {origin.Requests:N0} | {string.Join(" | ", s_outcomes.Select(outcome => ledger[outcome].ToString("N0", CultureInfo.InvariantCulture)))} | {buffered / 1024:N0} KiB | {string.Join(" + ", proxies.Select(static proxy => proxy.Memory.Now))} MiB |"));
        }

        await running;
        foreach (var client in crowd) client.Dispose();
        if (buffered > ChaosProxy.MaxBuffered) ledger.Violate($"{buffered} bytes were buffered, and {ChaosProxy.MaxBuffered} are allowed.");
        await WaitUntilIdleAsync(origin, proxies, ledger);
        await output.WriteLineAsync();
        await output.WriteLineAsync($"Most memory: {string.Join(" + ", proxies.Select(static proxy => proxy.Memory.Most))} MiB.");
        foreach (var violation in ledger.Violations) await output.WriteLineAsync($"**{violation}**");
        if (ledger.Violations.Count == 0) await output.WriteLineAsync("Every byte was right, and no client got the response of another user. At the end: no flight, no body, no buffer, no connection, and no request at the origin.");
        return ledger;
    }

    private static async Task WaitUntilIdleAsync(ChaosOrigin origin, ChaosProxy[] proxies, ChaosLedger ledger)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var held = await Task.WhenAll(proxies.Select(static proxy => proxy.ReadAsync()));
            if (origin.Busy == 0 && Array.TrueForAll(held, static what => what == default)) return;
            if (clock.Elapsed > TimeSpan.FromSeconds(30))
            {
                ledger.Violate($"After 30 seconds, the proxies still hold {string.Join(" and ", held)} (flights, subscribers, bodies, buffered, connections), and {origin.Busy} requests are at the origin.");
                return;
            }

            await Task.Delay(200);
        }
    }
}
