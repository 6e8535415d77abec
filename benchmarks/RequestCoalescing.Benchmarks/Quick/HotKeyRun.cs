using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;
using RequestCoalescing.Benchmarks.Scenarios;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>One hot key that 1 to 32 threads join. The best round of each peer counts, because a disturbance only ever slows a round.</summary>
public static class HotKeyRun
{
    private const int Rounds = 6;

    private static readonly int[] s_threads = [.. new[] { 1, 2, 4, 8, 16, 32 }.Where(threads => threads is not 16 || Environment.ProcessorCount >= 16)];

    public static void Run(TextWriter output)
    {
        var peers = Peer.All;
        var culture = CultureInfo.InvariantCulture;
        QuickRun.WriteHeader(output, "threads join one key", peers);
        var scenario = new HotKey();
        foreach (var withTokens in new[] { false, true })
        {
            var budget = withTokens ? 0.6 : 0.5;
            var best = s_threads.Select(threads => Best(scenario, peers, threads, withTokens)).ToArray();
            for (var i = 0; i < s_threads.Length; i++)
            {
                var ratio = best[i][0] / best[i][1];
                var cells = best[i].Select(time => time.ToString("N0", culture) + " ns");
                output.WriteLine(
                    $"| {s_threads[i]}, {(withTokens ? "own tokens" : "no token")} | {string.Join(" | ", cells)} " +
                    $"| {ratio.ToString("N2", culture)} | {budget.ToString("N1", culture)} | {QuickRun.Verdict(ratio <= budget)} |");
            }

            for (var i = 1; i < s_threads.Length && s_threads[i] <= Environment.ProcessorCount; i++)
            {
                var scaling = Enumerable.Range(0, peers.Count).Select(peer => best[0][peer] / best[i][peer]).ToArray();
                QuickRun.WriteScaling(
                    output,
                    $"joins of {s_threads[i]} threads by those of 1, {(withTokens ? "own tokens" : "no token")}",
                    scaling,
                    withTokens ? 1.3 : 1.5);
            }
        }
    }

    private static double[] Best(HotKey scenario, IReadOnlyList<Peer> peers, int threads, bool withTokens)
    {
        var best = Enumerable.Repeat(double.MaxValue, peers.Count).ToArray();
        for (var round = -Rounds / 2; round < Rounds; round++) // the first ones warm up
        {
            for (var peer = 0; peer < peers.Count; peer++)
            {
                GC.Collect();
                var time = scenario.Run(peers[peer], threads, withTokens);
                if (round >= 0) best[peer] = Math.Min(best[peer], time);
            }
        }

        return best;
    }
}
