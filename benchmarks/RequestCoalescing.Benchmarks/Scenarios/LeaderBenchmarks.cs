using BenchmarkDotNet.Attributes;
using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>A call that finds no flight, with work that completes at once. This is the cost of coalescing when there is nothing to coalesce.</summary>
[MemoryDiagnoser]
public class LeaderBenchmarks
{
    public const int Calls = 1_000;

    private readonly CancellationTokenSource _source = new();

    [Params(false, true)]
    public bool Token { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Calls)]
    public Task HybridCache() => LeadAsync(Peer.Named("HybridCache"));

    [Benchmark(OperationsPerInvoke = Calls)]
    public Task RequestCoalescing() => LeadAsync(Peer.Named("RequestCoalescing"));

    [Benchmark(OperationsPerInvoke = Calls)]
    public Task FusionCache() => LeadAsync(Peer.Named("FusionCache"));

    [Benchmark(OperationsPerInvoke = Calls)]
    public Task LazyTasks() => LeadAsync(Peer.Named("Lazy<Task>"));

    public async Task LeadAsync(Peer peer)
    {
        var token = Token ? _source.Token : default;
        for (var call = 0; call < Calls; call++) await peer.LeadAsync(Peer.Key, token);
    }
}
