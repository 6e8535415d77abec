using System.Diagnostics;
using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;
using RequestCoalescing.Benchmarks.Scenarios;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>Large numbers: 10,000 callers that leave at once, and a million flights that are looked at, expire or are forgotten at once.</summary>
public static class CrowdRun
{
    private const int Rounds = 6;
    private static readonly TimeSpan s_budget = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_watch = TimeSpan.FromSeconds(1);

    public static void RunLeaving(TextWriter output)
    {
        var scenario = new Leaving();
        output.WriteLine("| two threads, 20,000 callers of one key | a caller joins | a caller leaves, one of 10,000 | leave by join | budget | |");
        output.WriteLine("|---|---:|---:|---:|---:|---|");
        foreach (var peer in Peer.All)
        {
            var (join, leave) = (double.MaxValue, double.MaxValue);
            for (var round = -Rounds / 2; round < Rounds; round++) // the first ones warm up
            {
                GC.Collect();
                var times = scenario.Run(peer);
                if (round >= 0) (join, leave) = (Math.Min(join, times.Join), Math.Min(leave, times.Leave));
            }

            var isOurs = peer == Peer.All[0];
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {peer.Name} | {join:N0} ns | {leave:N0} ns | {leave / join:N2} | {(isOurs ? "1.0" : "")} | {(isOurs ? QuickRun.Verdict(leave <= join) : "")} |"));
        }
    }

    public static void RunMillion(TextWriter output)
    {
        output.WriteLine("| joins and take-offs beside a million flights | calls | median | 99.9 of 100 within | longest | budget | |");
        output.WriteLine("|---|---:|---:|---:|---:|---:|---|");
        Write(output, "nothing else", MillionFlights.TimeCallsBeside(expires: false, static _ => Thread.Sleep(s_watch)));
        Write(output, "looks at the statistics, one after the other", MillionFlights.TimeCallsBeside(expires: false, static singleflight =>
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_watch;) singleflight.GetStats();
        }));
        Write(output, "`Clear`", MillionFlights.TimeCallsBeside(expires: false, static singleflight => singleflight.Clear()));
        Write(output, "expiry of all at once", MillionFlights.TimeCallsBeside(expires: true, static singleflight =>
        {
            while (singleflight.GetStats().TimedOut < MillionFlights.Flights) Thread.Sleep(50);
        }));
    }

    private static void Write(TextWriter output, string name, TimeSpan[] times)
    {
        var late = times[(int)(times.Length * 0.999)];
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {times.Length:N0} | {times[times.Length / 2].TotalMicroseconds:N1} µs | {late.TotalMicroseconds:N1} µs | {times[^1].TotalMilliseconds:N1} ms | 1 ms | {QuickRun.Verdict(late <= s_budget)} |"));
    }
}
