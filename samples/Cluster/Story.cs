using System.Diagnostics;
using System.Globalization;

namespace Cluster;

/// <summary>A post goes viral on all nodes at once; then on many keys; then its leader is killed half way.</summary>
internal static class Story
{
    private const int Keys = 1_000;
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(1);

    public static async Task<int> TellAsync(int workers, int callers, string? redis)
    {
        using var embedded = redis is null ? EmbeddedServer.Start() : null;
        await using var backend = await SlowBackend.StartAsync();
        var nodes = new List<WorkerProcess>();
        try
        {
            nodes.AddRange(await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => WorkerProcess.StartAsync(redis ?? embedded!.ConnectionString, backend.Address, s_lease))));
            Say($"{workers} processes, {callers} callers in each, one {(redis is null ? "embedded server" : "server at " + redis)}; a lease lasts {s_lease.TotalSeconds} s without its leader.");

            var (answers, took) = await TimeAsync(nodes.Select(node => node.CallAsync("viral", callers, 500)));
            Say($"One key, {workers * callers:N0} callers: {answers.Sum(answer => answer.Answered):N0} answered, the backend was asked {Asked("viral"):N0} times, {took:F1} s");

            (answers, took) = await TimeAsync(nodes.Select(node => node.SpreadAsync("post", Keys, 500)));
            Say($"{Keys:N0} keys on every node: {answers.Sum(answer => answer.Answered):N0} answered, the backend was asked {Asked("post-"):N0} times, {took:F1} s");
            foreach (var answer in answers.Where(answer => answer.WentWrong.Length > 0)) Say($"  a node saw {answer.WentWrong}");
            foreach (var node in backend.Asked.Where(asked => asked.Key.StartsWith("post-", StringComparison.Ordinal)).GroupBy(asked => asked.Node).OrderByDescending(node => node.Count()))
            {
                Say($"  node {node.Key}: {node.Count():N0}");
            }

            var calls = nodes.ToDictionary(node => node, node => node.CallAsync("again", callers, 2_000));
            var first = await backend.FirstToAskAsync("again");
            var leader = nodes.Single(node => node.Id == first);
            await Task.Delay(500); // into the backend's two seconds
            leader.Kill();
            Say($"The leader, node {leader.Id}, is killed half way.");
            (answers, took) = await TimeAsync(calls.Where(call => call.Key != leader).Select(call => call.Value));
            Say($"The other {answers.Length} nodes: {answers.Sum(answer => answer.Answered):N0} answered, {answers.Sum(answer => answer.Failed)} failed, {took:F1} s after the kill; the backend was asked {Asked("again")} times");
            return answers.All(answer => answer is { Failed: 0, DifferentAnswers: 1 }) && Asked("viral") == 1 && Asked("post-") == Keys && Asked("again") == 2 ? 0 : 1;
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
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
