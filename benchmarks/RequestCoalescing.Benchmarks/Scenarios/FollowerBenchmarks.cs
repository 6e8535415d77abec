using BenchmarkDotNet.Attributes;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>10,000 calls join a running flight. This measures only the joins.</summary>
[MemoryDiagnoser]
[InvocationCount(1, 1)]
[WarmupCount(400)] // bursts are short, and with fewer of them the runtime would still be compiling
[IterationCount(50)]
public class FollowerBenchmarks
{
    public const int Followers = 10_000;

    private readonly Burst _burst = new(Followers);

    [Params(false, true)]
    public bool Token { get; set; }

    [IterationSetup(Target = nameof(HybridCache))]
    public void SetupHybridCache() => Begin(Peer.Named("HybridCache"));

    [IterationSetup(Target = nameof(RequestCoalescing))]
    public void SetupRequestCoalescing() => Begin(Peer.Named("RequestCoalescing"));

    [IterationSetup(Target = nameof(FusionCache))]
    public void SetupFusionCache() => Begin(Peer.Named("FusionCache"));

    [IterationSetup(Target = nameof(LazyTasks))]
    public void SetupLazyTasks() => Begin(Peer.Named("Lazy<Task>"));

    [Benchmark(Baseline = true, OperationsPerInvoke = Followers)]
    public void HybridCache() => _burst.Join();

    [Benchmark(OperationsPerInvoke = Followers)]
    public void RequestCoalescing() => _burst.Join();

    [Benchmark(OperationsPerInvoke = Followers)]
    public void FusionCache() => _burst.Join();

    [Benchmark(OperationsPerInvoke = Followers)]
    public void LazyTasks() => _burst.Join();

    [IterationCleanup]
    public void End() => _burst.End();

    private void Begin(Peer peer) => _burst.Begin(peer, Token);
}
