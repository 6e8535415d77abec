using System.Diagnostics;
using System.Globalization;

namespace RequestCoalescing.Benchmarks.Soak;

/// <summary>
/// Callers on all processors do everything at random for minutes: they join, leave, forget, clear, look at the statistics, and run work that succeeds,
/// fails, hangs, or has captured its leader's token. Every call is accounted for, and the memory at the end is compared with that after the first tenth.
/// </summary>
public static class SoakRun
{
    public const int Keys = 200;

    private static readonly TimeSpan s_report = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30); // no flight lasts longer than 50 ms, and no run of work longer than 100 ms

    /// <returns>The exit code: 0 if every call was accounted for.</returns>
    public static async Task<int> RunAsync(TimeSpan duration, TextWriter output)
    {
        var options = new SingleflightOptions { MaxDuration = TimeSpan.FromMilliseconds(50), IsReported = false };
        await using var singleflight = new Singleflight<int>(options);
        var history = new History();
        var crowd = Enumerable.Range(0, Environment.ProcessorCount * 8).Select(seed => new SoakCaller(singleflight, history, seed)).ToArray();
        var clock = Stopwatch.StartNew();

        // A tenth of the time warms up: pools and tables reach their size.
        await RunForAsync(crowd, duration / 10);
        var (memoryAtFirst, callsAtFirst) = (GC.GetTotalMemory(forceFullCollection: true), history.Calls);
        output.WriteLine("| minute | calls | flights | followers | left | elections | timed out | memory |");
        output.WriteLine("|---:|---:|---:|---:|---:|---:|---:|---:|");
        while (clock.Elapsed < duration)
        {
            var rest = duration - clock.Elapsed;
            await RunForAsync(crowd, rest < s_report ? rest : s_report);
            var now = singleflight.GetStats();
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {clock.Elapsed.TotalMinutes:N1} | {now.Calls:N0} | {now.Flights:N0} | {now.Coalesced:N0} | {history.Left:N0} | {now.Elections:N0} | {now.TimedOut:N0} | {GC.GetTotalMemory(forceFullCollection: true) / 1024.0:N0} KiB |"));
        }

        // Hung work ends when its flight has expired.
        var limit = Stopwatch.StartNew();
        while (singleflight.GetStats() is { InFlightCount: > 0 } or { AbandonedCount: > 0 } && limit.Elapsed < TimeSpan.FromSeconds(30)) await Task.Delay(10);

        var stats = singleflight.GetStats();
        var memory = GC.GetTotalMemory(forceFullCollection: true);
        var errors = history.Check(stats);
        output.WriteLine();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{history.Calls:N0} calls in {clock.Elapsed.TotalMinutes:N1} minutes on {Environment.ProcessorCount} processors. Memory after the first {callsAtFirst:N0} calls: {memoryAtFirst / 1024.0:N0} KiB; at the end: {memory / 1024.0:N0} KiB."));
        foreach (var error in errors) output.WriteLine("**" + error + "**");
        if (errors.Count == 0) output.WriteLine("Every call is accounted for. No caller got a result from before a forget that it came after.");
        return errors.Count == 0 ? 0 : 1;
    }

    private static async Task RunForAsync(SoakCaller[] crowd, TimeSpan duration)
    {
        var until = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var run = Task.WhenAll(crowd.Select(caller => Task.Run(() => caller.RunAsync(until))));
        try
        {
            await run.WaitAsync(duration + s_patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"A caller has waited for {s_patience.TotalSeconds:N0} seconds and has no outcome.");
        }
    }
}
