using System.Diagnostics;
using System.Globalization;

namespace Cluster;

/// <summary>A post goes viral on all nodes at once; then on many keys; then its leader is killed while its work runs.</summary>
internal static class Story
{
    // The backend takes longer than four processes need to ask for everything on a busy machine: who asks after a landing starts anew.
    private const int Keys = 1_000;
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(3);

    public static async Task<int> TellAsync(int workers, int callers, string? redis)
    {
        ThreadPool.SetMinThreads(32, 32); // a server and a backend in one process: neither is to keep the other waiting
        using var embedded = redis is null ? EmbeddedServer.Start() : null;
        await using var backend = await SlowBackend.StartAsync();
        var nodes = new List<WorkerProcess>();
        var problems = new List<string>();
        try
        {
            nodes.AddRange(await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => WorkerProcess.StartAsync(redis ?? embedded!.ConnectionString, backend.Address, s_lease))));
            Say($"{workers} processes, {callers} callers in each, one {(redis is null ? "embedded server" : "server at " + redis)}; a lease lasts {s_lease.TotalSeconds} s without its leader.");

            var (answers, took) = await TimeAsync(nodes.Select(node => node.CallAsync("viral", callers, 2_000)));
            Say($"One key, {workers * callers:N0} callers: {answers.Sum(answer => answer.Answered):N0} answered, the backend was asked {Asked("viral"):N0} times, {took:F1} s");
            Expect("viral", 1, answers);

            (answers, took) = await TimeAsync(nodes.Select(node => node.SpreadAsync("post", Keys, 3_000)));
            Say($"{Keys:N0} keys on every node: {answers.Sum(answer => answer.Answered):N0} answered, the backend was asked {Asked("post-"):N0} times, {took:F1} s");
            Expect("post-", Keys, answers);
            foreach (var node in backend.Asked.Where(asked => asked.Key.StartsWith("post-", StringComparison.Ordinal)).GroupBy(asked => asked.Node).OrderByDescending(node => node.Count()))
            {
                Say($"  node {node.Key}: {node.Count():N0}");
            }

            var calls = nodes.ToDictionary(node => node, node => node.CallAsync("again", callers, 3_000));
            var first = await backend.FirstToAskAsync("again");
            var leader = nodes.Single(node => node.Id == first);
            leader.Kill();
            Say($"The leader, node {leader.Id}, is killed while the backend works for it.");
            (answers, took) = await TimeAsync(calls.Where(call => call.Key != leader).Select(call => call.Value));
            Say($"The other {answers.Length} nodes: {answers.Sum(answer => answer.Answered):N0} answered, {answers.Sum(answer => answer.Failed)} failed, {took:F1} s after the kill; the backend was asked {Asked("again")} times");
            Expect("again", 2, answers);
            return problems.Count == 0 ? 0 : 1;
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
        }

        void Expect(string key, int runs, WorkerAnswer[] answers)
        {
            var wrong = new List<string>();
            if (Asked(key) != runs) wrong.Add($"the backend should have been asked {runs:N0} times");
            if (answers.Sum(answer => answer.Failed) is > 0 and var failed) wrong.Add($"{failed:N0} callers failed");
            if (key != "post-" && answers.Any(answer => answer.DifferentAnswers != 1)) wrong.Add("callers of one node got different answers");
            if (wrong.Count == 0) return;
            problems.AddRange(wrong);
            Say($"  Not as it should be: {string.Join("; ", wrong)}.");
            foreach (var answer in answers.Where(answer => answer.WentWrong.Length > 0)) Say($"  A node saw {answer.WentWrong}.");
        }

        int Asked(string key) => backend.Asked.Count(asked => asked.Key.StartsWith(key, StringComparison.Ordinal));
    }

    private static void Say(FormattableString what) => Console.WriteLine(what.ToString(CultureInfo.InvariantCulture));

    private static async Task<(WorkerAnswer[] Answers, double Seconds)> TimeAsync(IEnumerable<Task<WorkerAnswer>> calls)
    {
        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(calls);
        return (answers, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
}
