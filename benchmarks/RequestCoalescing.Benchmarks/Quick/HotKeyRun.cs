using System.Globalization;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>One hot key that 1 to 32 threads join. The best round of each peer counts, because a disturbance only ever slows a round.</summary>
public static class HotKeyRun
{
    private const int Rounds = 6;

    private static readonly int[] s_threads = [.. new[] { 1, 2, 4, 8, 16, 32 }.Where(threads => threads is not 16 || Environment.ProcessorCount >= 16)];

    public static void Run(TextWriter output)
    {
        QuickRun.WriteHeader(output, "threads join one key", Peer.Names);
        Run(output, "hot", "no token", budget: 0.5, scalingBudget: 1.5);
        Run(output, "hot, tokens", "own tokens", budget: 0.6, scalingBudget: 1.3);
    }

    private static void Run(TextWriter output, string scenario, string callers, double budget, double scalingBudget)
    {
        var culture = CultureInfo.InvariantCulture;
        var processes = PeerProcess.StartAll(scenario, Peer.Names);
        var best = s_threads.Select(threads => Best(processes, threads)).ToArray();
        foreach (var process in processes) process.Dispose();
        for (var i = 0; i < s_threads.Length; i++)
        {
            var ratio = best[i][0] / best[i][1];
            var cells = best[i].Select(time => time.ToString("N0", culture) + " ns");
            output.WriteLine(
                $"| {s_threads[i]}, {callers} | {string.Join(" | ", cells)} " +
                $"| {ratio.ToString("N2", culture)} | {budget.ToString("N1", culture)} | {QuickRun.Verdict(ratio <= budget)} |");
        }

        for (var i = 1; i < s_threads.Length && s_threads[i] <= Environment.ProcessorCount; i++)
        {
            double[] scaling = [.. processes.Select((_, peer) => best[0][peer] / best[i][peer])];
            QuickRun.WriteScaling(output, $"joins of {s_threads[i]} threads by those of 1, {callers}", scaling, scalingBudget);
        }
    }

    private static double[] Best(PeerProcess[] processes, int threads)
    {
        var best = Enumerable.Repeat(double.MaxValue, processes.Length).ToArray();
        for (var round = -Rounds / 2; round < Rounds; round++) // the first ones warm up
        {
            for (var peer = 0; peer < processes.Length; peer++)
            {
                var time = processes[peer].Round(threads)[0];
                if (round >= 0) best[peer] = Math.Min(best[peer], time);
            }
        }

        return best;
    }
}
