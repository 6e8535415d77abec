using BenchmarkDotNet.Attributes;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>Threads lead flights, each with its own key. Each thread makes the same number of calls, so that two threads in the same time mean double throughput.</summary>
public class ThroughputBenchmarks
{
    public const int Calls = 50_000;

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true)]
    public void HybridCache() => Lead(Peer.Named("HybridCache"));

    [Benchmark]
    public void RequestCoalescing() => Lead(Peer.Named("RequestCoalescing"));

    [Benchmark]
    public void FusionCache() => Lead(Peer.Named("FusionCache"));

    [Benchmark]
    public void LazyTasks() => Lead(Peer.Named("Lazy<Task>"));

    public void Lead(Peer peer) => Run(Threads, index =>
    {
        var key = $"{Peer.Key}:{index}";
        for (var call = 0; call < Calls; call++) peer.LeadAsync(key, default).GetAwaiter().GetResult();
    });

    /// <summary>Measures the machine itself: threads only compute, or only allocate as much as a flight does.</summary>
    public static void Calibrate(int threads, bool allocates) => Run(threads, _ =>
    {
        object? last = null;
        var sum = 1L;
        for (var call = 0; call < Calls * (allocates ? 10 : 100); call++)
        {
            if (allocates) last = new byte[176];
            else sum = (sum * 31) + call;
        }

        GC.KeepAlive((last, sum));
    });

    /// <summary>Runs an action on threads that start together, and waits for them.</summary>
    internal static void Run(int count, Action<int> action)
    {
        using var gate = new Barrier(count);
        var threads = Enumerable.Range(0, count).Select(index => new Thread(() =>
        {
            gate.SignalAndWait();
            action(index);
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
    }
}
