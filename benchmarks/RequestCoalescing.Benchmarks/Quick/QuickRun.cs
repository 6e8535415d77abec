using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>
/// Runs all scenarios in about two minutes, for the ratios. Each round measures every peer once, one after the other, so that other load on the machine
/// affects all peers equally. Each peer has a process of its own for each scenario (<see cref="PeerProcess"/>).
/// </summary>
public static class QuickRun
{
    private const int Rounds = 15;
    private const string Bare = "RequestCoalescing";
    private const string ByInterface = "engine, as ISingleflight";

    public static void Run(TextWriter output)
    {
        CompareTimes(output, Peer.Names);
        WriteMemory(output);
        WriteScaling(output, "two threads on different keys, throughput of one", [.. Peer.Names.Select(peer => Scaling("keys", peer))], 1.8);
        output.WriteLine();
        HotKeyRun.Run(output);
        output.WriteLine();
        CrowdRun.RunLeaving(output);
        output.WriteLine();
        CrowdRun.RunMillion(output);
        output.WriteLine();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Throughput of two threads that share nothing, on this machine: {Scaling("computing", Bare):N2} x computing, {Scaling("allocating", Bare):N2} x allocating."));
    }

    /// <summary>Measures what dependency injection adds to the bare engine: without a listener, with a listener on its metrics, and with one on its spans too.</summary>
    public static void RunTelemetry(TextWriter output)
    {
        CompareTimes(output, ["registered", ByInterface, Bare], 1.15);
        output.WriteLine();
        CompareTimes(output, ["registered, metrics", ByInterface, Bare], 2);
        output.WriteLine();
        CompareTimes(output, ["registered, metrics and spans", ByInterface, Bare], double.PositiveInfinity);
    }

    /// <summary>Measures what a cluster adds to the join of a caller whose own node has a flight.</summary>
    public static void RunJoinsThroughRedis(TextWriter output, string server)
    {
        string[] peers = [Peer.NameThroughRedis(server), ByInterface];
        WriteHeader(output, "a caller joins its own node's flight", peers);
        Compare(output, peers, "follower", "no token", 2, 64);
        Compare(output, peers, "follower, token", "own token", 2, 64);
    }

    internal static void WriteHeader(TextWriter output, string first, IReadOnlyList<string> peers)
    {
        output.WriteLine($"| {first} | {string.Join(" | ", peers)} | ratio to {peers[1]} | budget | |");
        output.WriteLine("|---|" + string.Concat(peers.Select(_ => "---:|")) + "---:|---:|---|");
    }

    /// <summary>Writes the throughput of two threads as a multiple of one's.</summary>
    internal static void WriteScaling(TextWriter output, string name, double[] scaling, double least) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {name} | {string.Join(" | ", scaling.Select(times => times.ToString("N2", CultureInfo.InvariantCulture) + " x"))} | {scaling[0] / scaling[1]:N2} | {least:N1} x | {Verdict(scaling[0] >= least)} |"));

    internal static string Verdict(bool isKept) => isKept ? "kept" : "**missed**";

    // Compares the first peer with the second. If no budget is given, each row has its budget against HybridCache. Rows with an infinite budget get no verdict.
    private static void CompareTimes(TextWriter output, IReadOnlyList<string> peers, double? budget = null)
    {
        WriteHeader(output, "scenario", peers);
        Compare(output, peers, "leader", "leader, no token", budget ?? 0.6, BytesOrNull(200));
        Compare(output, peers, "leader, token", "leader, cancellable token", budget ?? 0.2, null);
        Compare(output, peers, "follower", "follower, no token", budget ?? 0.5, BytesOrNull(0));
        Compare(output, peers, "follower, token", "follower, own token", budget ?? 0.5, BytesOrNull(16));
        Compare(output, peers, "landing", "landing for 10,000 followers, own tokens", budget ?? 0.6, null);

        double? BytesOrNull(double bytes) => budget is null ? bytes : null; // otherwise, the engine's own bytes are in the cell beside it
    }

    private static void Compare(TextWriter output, IReadOnlyList<string> peers, string scenario, string name, double limit, double? bytesLimit)
    {
        var culture = CultureInfo.InvariantCulture;
        var (results, ratio) = Medians(scenario, peers);
        var cells = results.Select(result => string.Create(culture, $"{result.Nanoseconds:N0} ns, {result.Bytes:N0} B"));
        var isKept = ratio <= limit && !(results[0].Bytes >= bytesLimit + 1);
        var bytes = bytesLimit is null ? "" : string.Create(culture, $", {bytesLimit:N0} B");
        var verdict = double.IsInfinity(limit) ? " | " : $"{limit.ToString(culture)}{bytes} | {Verdict(isKept)}";
        output.WriteLine($"| {name} | {string.Join(" | ", cells)} | {ratio.ToString("N2", culture)} | {verdict} |");
    }

    // The median of each peer, and the median of the rounds' ratios.
    private static (QuickResult[] Results, double Ratio) Medians(string scenario, IReadOnlyList<string> peers)
    {
        var processes = PeerProcess.StartAll(scenario, peers);
        var rounds = Enumerable.Range(0, Rounds).Select(_ => processes.Select(static process => process.Round()).ToArray()).ToArray();
        foreach (var process in processes) process.Dispose();
        return (
            [.. peers.Select((_, peer) => new QuickResult(Median(round => rounds[round][peer][0]), Median(round => rounds[round][peer][1])))],
            Median(round => rounds[round][0][0] / rounds[round][1][0]));
    }

    private static double Median(Func<int, double> value) => Enumerable.Range(0, Rounds).Select(value).Order().ElementAt(Rounds / 2);

    private static void WriteMemory(TextWriter output)
    {
        var culture = CultureInfo.InvariantCulture;
        var bytes = Peer.Names.Select(peer => PeerProcess.Once("memory", peer)[0]).ToArray();
        output.WriteLine(
            $"| 100,000 keys in flight, each | {string.Join(" | ", bytes.Select(each => each.ToString("N0", culture) + " B"))} " +
            $"| {(bytes[0] / bytes[1]).ToString("N2", culture)} | 350 B | {Verdict(bytes[0] <= 350)} |");
    }

    // The best of many short rounds counts, because a disturbance can only slow a round.
    private static double Scaling(string scenario, string peer)
    {
        using var process = PeerProcess.Start(scenario, peer);
        var (one, two) = (double.MaxValue, double.MaxValue);
        for (var round = -10; round < 40; round++) // the first ten warm up
        {
            var (first, second) = (process.Round(threads: 1)[0], process.Round(threads: 2)[0]);
            if (round >= 0) (one, two) = (Math.Min(one, first), Math.Min(two, second));
        }

        return 2 * one / two;
    }
}
