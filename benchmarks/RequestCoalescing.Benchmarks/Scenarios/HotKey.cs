using System.Diagnostics;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>One key in flight that many threads join at once.</summary>
public sealed class HotKey
{
    /// <summary>The joins of a round, shared by its threads.</summary>
    public const int Joins = 32_000;

    private static readonly CancellationToken[] s_tokens = [.. Enumerable.Range(0, Joins).Select(_ => new CancellationTokenSource().Token)];

    private readonly ValueTask<string>[] _joined = new ValueTask<string>[Joins];
    private int _flights;

    /// <summary>Runs one round.</summary>
    /// <returns>The nanoseconds for each join: the time from the first join to the last, divided by the number of joins.</returns>
    public double Run(Peer peer, int threads, bool withTokens)
    {
        var key = $"{Peer.Key}:{_flights++}";
        var work = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = peer.CallAsync(key, work.Task, default);
        using var gate = new Barrier(threads + 1);
        var share = Joins / threads;
        var workers = Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            gate.SignalAndWait();
            for (var i = thread * share; i < (thread + 1) * share; i++) _joined[i] = peer.CallAsync(key, work.Task, withTokens ? s_tokens[i] : default);
            gate.SignalAndWait();
        })).ToArray();
        foreach (var worker in workers) worker.Start();

        gate.SignalAndWait();
        var start = Stopwatch.GetTimestamp();
        gate.SignalAndWait();
        var elapsed = Stopwatch.GetElapsedTime(start);
        foreach (var worker in workers) worker.Join();

        work.SetResult(Peer.Value);
        leader.AsTask().GetAwaiter().GetResult();
        for (var i = 0; i < share * threads; i++) _joined[i].AsTask().GetAwaiter().GetResult();
        return elapsed.TotalNanoseconds / (share * threads);
    }
}
