using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>Large numbers: 10,000 callers that leave at once, and a million flights that are looked at, expire or are forgotten at once.</summary>
public static class CrowdRun
{
    private const int Rounds = 6;

    public static void RunLeaving(TextWriter output)
    {
        output.WriteLine("| two threads, 20,000 callers of one key | a caller joins | a token fires and its caller leaves, one of 10,000 | of that, the token (measured by itself) | leave by join | budget | |");
        output.WriteLine("|---|---:|---:|---:|---:|---:|---|");
        foreach (var peer in Peer.Names)
        {
            using var process = PeerProcess.Start("leaving", peer);
            var (join, leave, fire) = (double.MaxValue, double.MaxValue, double.MaxValue);
            for (var round = -Rounds / 2; round < Rounds; round++) // the first ones warm up
            {
                var times = process.Round();
                if (round >= 0) (join, leave, fire) = (Math.Min(join, times[0]), Math.Min(leave, times[1]), Math.Min(fire, times[2]));
            }

            var isOurs = peer == Peer.Names[0];
            var ratio = (leave - fire) / join;
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {peer} | {join:N0} ns | {leave:N0} ns | {fire:N0} ns | {ratio:N2} | {(isOurs ? "1.0" : "")} | {(isOurs ? QuickRun.Verdict(ratio <= 1) : "")} |"));
        }
    }

    public static void RunMillion(TextWriter output)
    {
        output.WriteLine("| joins and take-offs beside a million flights | calls | median | 99.9 of 100 within | longest | budget | |");
        output.WriteLine("|---|---:|---:|---:|---:|---:|---|");
        Write(output, "million", "nothing else");
        Write(output, "million, looks", "looks at the statistics, one after the other");
        Write(output, "million, clear", "`Clear`");
        Write(output, "million, expiry", "expiry of all at once");
    }

    private static void Write(TextWriter output, string scenario, string name)
    {
        var times = PeerProcess.Once(scenario, Peer.Names[0]);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {times[0]:N0} | {times[1]:N1} µs | {times[2]:N1} µs | {times[3] / 1_000:N1} ms | 1 ms | {QuickRun.Verdict(times[2] <= 1_000)} |"));
    }
}
