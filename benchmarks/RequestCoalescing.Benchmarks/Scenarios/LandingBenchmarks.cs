using BenchmarkDotNet.Attributes;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>10,000 followers, each with its own token, await a flight. This measures the time from the end of the work until the last follower has resumed.</summary>
[MemoryDiagnoser]
[InvocationCount(1, 1)]
[WarmupCount(400)] // bursts are short, and with fewer of them the runtime would still be compiling
[IterationCount(50)]
public class LandingBenchmarks
{
    public const int Followers = 10_000;

    private readonly Burst _burst = new(Followers);

    [IterationSetup(Target = nameof(HybridCache))]
    public void SetupHybridCache() => Begin(Peer.Named("HybridCache"));

    [IterationSetup(Target = nameof(RequestCoalescing))]
    public void SetupRequestCoalescing() => Begin(Peer.Named("RequestCoalescing"));

    [IterationSetup(Target = nameof(FusionCache))]
    public void SetupFusionCache() => Begin(Peer.Named("FusionCache"));

    [IterationSetup(Target = nameof(LazyTasks))]
    public void SetupLazyTasks() => Begin(Peer.Named("Lazy<Task>"));

    [Benchmark(Baseline = true)]
    public void HybridCache() => _burst.Land();

    [Benchmark]
    public void RequestCoalescing() => _burst.Land();

    [Benchmark]
    public void FusionCache() => _burst.Land();

    [Benchmark]
    public void LazyTasks() => _burst.Land();

    private void Begin(Peer peer)
    {
        _burst.Begin(peer, withTokens: true);
        _burst.JoinAwaiting();
    }
}
