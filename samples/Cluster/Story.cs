using System.Diagnostics;
using System.Globalization;

namespace Cluster;

/// <summary>Calls one key on all nodes at once, then many keys, and then kills the leader of a key while its work runs.</summary>
internal static class Story
{
    // The backend takes longer than four processes need for all their calls on a busy machine. A call after the landing would start a new run.
    private const int Keys = 1_000;
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(3);

    public static async Task<int> TellAsync(int workers, int callers, string? redis)
    {
        ThreadPool.SetMinThreads(32, 32); // the server and the backend share this process, and must not block each other
        using var embedded = redis is null ? EmbeddedServer.Start() : null;
        await using var backend = await SlowBackend.StartAsync();
        var nodes = new List<WorkerProcess>();
        var problems = new List<string>();
        try
        {
            nodes.AddRange(await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => WorkerProcess.StartAsync(redis ?? embedded!.ConnectionString, backend.Address, s_lease))));
            Say($"{workers} processes, {callers} callers in each, one {(redis is null ? "embedded server" : "server at " + redis)}; a lease lasts {s_lease.TotalSeconds} s if its leader dies.");

            var (answers, took) = await TimeAsync(nodes.Select(node => node.CallAsync("viral", callers, 2_000)));
            Say($"One key, {workers * callers:N0} callers: {answers.Sum(answer => answer.Answered):N0} got an answer. The backend got {Requests("viral")}. It took {took:F1} s.");
            Expect("viral", 1, answers);

            (answers, took) = await TimeAsync(nodes.Select(node => node.SpreadAsync("post", Keys, 3_000)));
            Say($"{Keys:N0} keys on every node: {answers.Sum(answer => answer.Answered):N0} callers got an answer. The backend got {Requests("post-")}. It took {took:F1} s.");
            Expect("post-", Keys, answers);
            foreach (var node in backend.Requests.Where(request => request.Key.StartsWith("post-", StringComparison.Ordinal)).GroupBy(request => request.Node).OrderByDescending(node => node.Count()))
            {
                Say($"  Node {node.Key} led {node.Count():N0} of them.");
            }

            var calls = nodes.ToDictionary(node => node, node => node.CallAsync("again", callers, 3_000));
            var first = await backend.FirstNodeAsync("again");
            var leader = nodes.Single(node => node.Id == first);
            leader.Kill();
            Say($"The sample kills the leader, node {leader.Id}, while the backend works for it.");
            (answers, took) = await TimeAsync(calls.Where(call => call.Key != leader).Select(call => call.Value));
            Say($"On the other {answers.Length} nodes {answers.Sum(answer => answer.Answered):N0} callers got an answer {took:F1} s after the kill, and {answers.Sum(answer => answer.Failed)} failed. The backend got {Requests("again")}.");
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
            if (CountOf(key) != runs) wrong.Add($"the backend should have got {runs:N0} requests");
            if (answers.Sum(answer => answer.Failed) is > 0 and var failed) wrong.Add($"{failed:N0} callers failed");
            if (key != "post-" && answers.Any(answer => answer.DifferentAnswers != 1)) wrong.Add("callers of one node got different answers");
            if (wrong.Count == 0) return;
            problems.AddRange(wrong);
            Say($"  Unexpected: {string.Join("; ", wrong)}.");
            foreach (var answer in answers.Where(answer => answer.Problems.Length > 0)) Say($"  A node reports {answer.Problems}.");
        }

        int CountOf(string key) => backend.Requests.Count(request => request.Key.StartsWith(key, StringComparison.Ordinal));

        string Requests(string key) => CountOf(key) is var count && count == 1 ? "1 request" : string.Create(CultureInfo.InvariantCulture, $"{count:N0} requests");
    }

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    private static async Task<(WorkerAnswer[] Answers, double Seconds)> TimeAsync(IEnumerable<Task<WorkerAnswer>> calls)
    {
        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(calls);
        return (answers, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
}
