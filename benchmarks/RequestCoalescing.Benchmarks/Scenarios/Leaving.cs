using System.Diagnostics;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>
/// Callers of one flight: two threads let them join, and then let half of them leave at once. The callers await their calls only afterwards, because each
/// caller that leaves gets an exception. With all peers, that takes many times as long as the leave.
/// </summary>
public sealed class Leaving
{
    public const int Joins = 20_000;

    private const int Threads = 2;

    private readonly ValueTask<string>[] _joined = new ValueTask<string>[Joins];
    private int _flights;

    /// <summary>Runs one round.</summary>
    /// <returns>The nanoseconds for each join, for each leave with the firing of its token, and for the firing of a token whose callback does nothing.</returns>
    public (double Join, double Leave, double Fire) Run(Peer peer)
    {
        var key = $"{Peer.Key}:{_flights++}";
        var work = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var sources = Enumerable.Range(0, Joins).Select(_ => new CancellationTokenSource()).ToArray();
        var leader = peer.CallAsync(key, work.Task, default);
        const int Share = Joins / Threads;

        var join = Time(thread =>
        {
            for (var i = thread * Share; i < (thread + 1) * Share; i++) _joined[i] = peer.CallAsync(key, work.Task, sources[i].Token);
        });
        var leave = TimeFiring(sources);

        work.SetResult(Peer.Value);
        leader.AsTask().GetAwaiter().GetResult();
        foreach (var joined in _joined) ((IAsyncResult)joined.AsTask()).AsyncWaitHandle.WaitOne();
        return (join / Joins, leave, TimeFiring(Empty()));
    }

    // Every second one, from two threads.
    private static double TimeFiring(CancellationTokenSource[] sources) => Time(thread =>
    {
        const int Share = Joins / Threads;
        for (var i = thread * Share; i < (thread + 1) * Share; i += 2) sources[i].Cancel();
    }) / (Joins / 2);

    private static CancellationTokenSource[] Empty()
    {
        var sources = new CancellationTokenSource[Joins];
        for (var i = 0; i < Joins; i++)
        {
            sources[i] = new CancellationTokenSource();
            sources[i].Token.UnsafeRegister(static _ => { }, new object());
        }

        return sources;
    }

    private static double Time(Action<int> action)
    {
        var (starts, ends) = (new long[Threads], new long[Threads]);
        ThroughputBenchmarks.Run(Threads, thread =>
        {
            starts[thread] = Stopwatch.GetTimestamp();
            action(thread);
            ends[thread] = Stopwatch.GetTimestamp();
        });
        return Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalNanoseconds;
    }
}
