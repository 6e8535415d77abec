namespace RequestCoalescing;

/// <summary>One second in the history of an instance.</summary>
public sealed class SingleflightSample
{
    internal SingleflightSample(long number, TimeSpan elapsed, SingleflightStats stats, SingleflightLatency? flights) =>
        (Number, Elapsed, Stats, Flights) = (number, elapsed, stats, flights);

    /// <summary>The number of the second: those of all instances in one history go together, and grow by one each.</summary>
    public long Number { get; }

    /// <summary>How long the second really was: a busy process samples late.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>What was in flight at its end; as totals, what was counted within it.</summary>
    public SingleflightStats Stats { get; }

    /// <summary>How long the flights took that ended within it; null if there were none, or if they are not measured.</summary>
    public SingleflightLatency? Flights { get; }
}
