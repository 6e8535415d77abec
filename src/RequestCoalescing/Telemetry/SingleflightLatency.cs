namespace RequestCoalescing;

/// <summary>How long flights took, or callers waited, in a period. The quantiles come from a histogram, and their error is at most 6 %.</summary>
public sealed class SingleflightLatency
{
    internal SingleflightLatency(long count, TimeSpan p50, TimeSpan p95, TimeSpan p99) => (Count, P50, P95, P99) = (count, p50, p95, p99);

    /// <summary>The number of flights or callers. For the callers of an instance with more than 256 calls a second, it is an estimate.</summary>
    public long Count { get; }

    /// <summary>Half of them took no longer than this.</summary>
    public TimeSpan P50 { get; }

    /// <summary>95 % of them took no longer than this.</summary>
    public TimeSpan P95 { get; }

    /// <summary>99 % of them took no longer than this.</summary>
    public TimeSpan P99 { get; }
}
