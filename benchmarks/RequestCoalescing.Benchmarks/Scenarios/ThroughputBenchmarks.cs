using BenchmarkDotNet.Attributes;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>Threads that lead flights of different keys; each does the same number of calls, so that equal time is double throughput.</summary>
public class ThroughputBenchmarks
{
    public const int Calls = 50_000;

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true)]
    public void HybridCache() => Lead(Peer.All[1]);

    [Benchmark]
    public void RequestCoalescing() => Lead(Peer.All[0]);

    [Benchmark]
    public void FusionCache() => Lead(Peer.All[2]);

    [Benchmark]
    public void LazyTasks() => Lead(Peer.All[3]);

    public void Lead(Peer peer)
    {
        using var gate = new Barrier(Threads);
        var threads = Enumerable.Range(0, Threads).Select(index => new Thread(() =>
        {
            var keys = Enumerable.Range(0, 64).Select(key => $"{index}:{key}").ToArray();
            gate.SignalAndWait();
            for (var call = 0; call < Calls; call++) peer.LeadAsync(keys[call % keys.Length], default).GetAwaiter().GetResult();
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
    }
}
