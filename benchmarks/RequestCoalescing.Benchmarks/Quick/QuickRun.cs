using System.Diagnostics;
using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;
using RequestCoalescing.Benchmarks.Scenarios;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>
/// Runs all scenarios in about two minutes, for the ratios. Each round measures every peer once, one after the other, so that other load on the machine
/// affects all peers equally. The result is the median over the rounds.
/// </summary>
public static class QuickRun
{
    private const int Rounds = 15;

    public static void Run(TextWriter output)
    {
        var peers = Peer.All;
        var culture = CultureInfo.InvariantCulture;
        CompareTimes(output, peers);

        var memory = peers.Select(KeysInFlight.MeasureBytesPerKey).ToArray();
        output.WriteLine(
            $"| 100,000 keys in flight, each | {string.Join(" | ", memory.Select(bytes => bytes.ToString("N0", culture) + " B"))} " +
            $"| {(memory[0] / memory[1]).ToString("N2", culture)} | 350 B | {Verdict(memory[0] <= 350)} |");

        var scaling = peers.Select(peer => Scaling(threads => new ThroughputBenchmarks { Threads = threads }.Lead(peer))).ToArray();
        WriteScaling(output, "two threads on different keys, throughput of one", scaling, 1.8);
        output.WriteLine();
        HotKeyRun.Run(output);
        output.WriteLine();
        CrowdRun.RunLeaving(output);
        output.WriteLine();
        CrowdRun.RunMillion(output);
        output.WriteLine();
        output.WriteLine(string.Create(
            culture,
            $"Throughput of two threads that share nothing, on this machine: {Scaling(threads => ThroughputBenchmarks.Calibrate(threads, allocates: false)):N2} x computing, {Scaling(threads => ThroughputBenchmarks.Calibrate(threads, allocates: true)):N2} x allocating."));
    }

    /// <summary>Measures what dependency injection adds to the bare engine: without a listener, with a listener on its metrics, and with one on its spans too.</summary>
    public static void RunTelemetry(TextWriter output)
    {
        CompareTimes(output, [new Hosted("no listener", subscribesToMetrics: false), new Ours()], 1.15);
        output.WriteLine();
        CompareTimes(output, [new Hosted("metrics", subscribesToMetrics: true), new Ours()], 2);
        output.WriteLine();
        ActivitySource.AddActivityListener(new ActivityListener
        {
            ShouldListenTo = static source => source.Name == SingleflightTelemetry.ActivitySourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        });
        CompareTimes(output, [new Hosted("metrics and spans", subscribesToMetrics: true), new Ours()], double.PositiveInfinity);
    }

    /// <summary>Compares the first peer with the second.</summary>
    /// <param name="output">Receives the table.</param>
    /// <param name="peers">The peers.</param>
    /// <param name="budget">The ratio that every row may have. Null for the budgets against HybridCache. Infinity for none.</param>
    internal static void CompareTimes(TextWriter output, IReadOnlyList<Peer> peers, double? budget = null)
    {
        var rows = new List<QuickRow>
        {
            Compare(peers, "leader, no token", budget ?? 0.6, 200, Lead(token: false)),
            Compare(peers, "leader, cancellable token", budget ?? 0.2, null, Lead(token: true)),
            Compare(peers, "follower, no token", budget ?? 0.5, 0, Join(withTokens: false)),
            Compare(peers, "follower, own token", budget ?? 0.5, 16, Join(withTokens: true)),
            Compare(peers, "landing for 10,000 followers, own tokens", budget ?? 0.6, null, Land()),
        };

        var culture = CultureInfo.InvariantCulture;
        WriteHeader(output, "scenario", peers);
        foreach (var row in rows)
        {
            var cells = row.Results.Select(result => string.Create(culture, $"{result.Nanoseconds:N0} ns, {result.Bytes:N0} B"));
            var bytes = row.BytesBudget is { } limit ? string.Create(culture, $", {limit:N0} B") : "";
            var limits = budget == double.PositiveInfinity ? " | " : $"{row.Budget.ToString(culture)}{bytes} | {row.Verdict}";
            output.WriteLine($"| {row.Name} | {string.Join(" | ", cells)} | {row.Ratio.ToString("N2", culture)} | {limits} |");
        }
    }

    internal static void WriteHeader(TextWriter output, string first, IReadOnlyList<Peer> peers)
    {
        output.WriteLine($"| {first} | {string.Join(" | ", peers.Select(peer => peer.Name))} | ratio to {peers[1].Name} | budget | |");
        output.WriteLine("|---|" + string.Concat(peers.Select(_ => "---:|")) + "---:|---:|---|");
    }

    /// <summary>Writes the throughput of two threads as a multiple of one's.</summary>
    internal static void WriteScaling(TextWriter output, string name, double[] scaling, double least) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {name} | {string.Join(" | ", scaling.Select(times => times.ToString("N2", CultureInfo.InvariantCulture) + " x"))} | {scaling[0] / scaling[1]:N2} | {least:N1} x | {Verdict(scaling[0] >= least)} |"));

    internal static string Verdict(bool isKept) => isKept ? "kept" : "**missed**";

    private static QuickRow Compare(
        IReadOnlyList<Peer> peers,
        string name,
        double budget,
        double? bytesBudget,
        Func<Peer, QuickResult> measure)
    {
        foreach (var peer in peers) WarmUp(() => measure(peer));

        var results = new QuickResult[Rounds, peers.Count];
        for (var round = 0; round < Rounds; round++)
        {
            for (var peer = 0; peer < peers.Count; peer++)
            {
                GC.Collect();
                results[round, peer] = measure(peers[peer]);
            }
        }

        var medians = Enumerable.Range(0, peers.Count).Select(peer => new QuickResult(
            Median(round => results[round, peer].Nanoseconds),
            Median(round => results[round, peer].Bytes))).ToArray();
        var ratio = Median(round => results[round, 0].Nanoseconds / results[round, 1].Nanoseconds);
        var isKept = ratio <= budget && !(medians[0].Bytes >= bytesBudget + 1);
        return new QuickRow(name, budget, bytesBudget, medians, ratio, Verdict(isKept));
    }

    private static Func<Peer, QuickResult> Lead(bool token)
    {
        var scenario = new LeaderBenchmarks { Token = token };
        const int Repeats = 20;
        return peer => Measure(Repeats * LeaderBenchmarks.Calls, () =>
        {
            for (var repeat = 0; repeat < Repeats; repeat++) scenario.LeadAsync(peer).GetAwaiter().GetResult();
        });
    }

    private static Func<Peer, QuickResult> Join(bool withTokens)
    {
        var burst = new Burst(FollowerBenchmarks.Followers);
        return peer =>
        {
            burst.Begin(peer, withTokens);
            var result = Measure(FollowerBenchmarks.Followers, burst.Join);
            burst.End();
            return result;
        };
    }

    private static Func<Peer, QuickResult> Land()
    {
        var burst = new Burst(LandingBenchmarks.Followers);
        return peer =>
        {
            burst.Begin(peer, withTokens: true);
            burst.JoinAwaiting();
            return Measure(1, burst.Land);
        };
    }

    // The best of many short runs counts, because a disturbance can only slow a run.
    private static double Scaling(Action<int> run)
    {
        var (one, two) = (double.MaxValue, double.MaxValue);
        for (var round = -10; round < 40; round++) // the first ten warm up
        {
            var (first, second) = (Seconds(1), Seconds(2));
            if (round >= 0) (one, two) = (Math.Min(one, first), Math.Min(two, second));
        }

        return 2 * one / two;

        double Seconds(int threads)
        {
            var start = Stopwatch.GetTimestamp();
            run(threads);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    internal static QuickResult Measure(int operations, Action action)
    {
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        var start = Stopwatch.GetTimestamp();
        action();
        var elapsed = Stopwatch.GetElapsedTime(start);
        bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
        return new QuickResult(elapsed.TotalNanoseconds / operations, (double)bytes / operations);
    }

    // Long enough for the runtime to reach its final compilation.
    private static void WarmUp(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(500)) action();
    }

    private static double Median(Func<int, double> value)
    {
        var values = Enumerable.Range(0, Rounds).Select(value).Order().ToArray();
        return values[Rounds / 2];
    }
}
