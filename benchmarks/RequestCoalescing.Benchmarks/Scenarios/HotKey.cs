using System.Diagnostics;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>One key in flight that many threads join at once.</summary>
public sealed class HotKey
{
    /// <summary>The joins of a round, shared by its threads: so many that the start of the threads takes a small part of the round. Divisible by the numbers of threads.</summary>
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
        var share = Joins / threads;
        var (starts, ends) = (new long[threads], new long[threads]);
        ThroughputBenchmarks.Run(threads, thread =>
        {
            starts[thread] = Stopwatch.GetTimestamp();
            for (var i = thread * share; i < (thread + 1) * share; i++) _joined[i] = peer.CallAsync(key, work.Task, withTokens ? s_tokens[i] : default);
            ends[thread] = Stopwatch.GetTimestamp();
        });
        var elapsed = Stopwatch.GetElapsedTime(starts.Min(), ends.Max());

        work.SetResult(Peer.Value);
        leader.AsTask().GetAwaiter().GetResult();
        foreach (var joined in _joined) joined.AsTask().GetAwaiter().GetResult();
        return elapsed.TotalNanoseconds / Joins;
    }
}
