namespace RequestCoalescing;

/// <summary>One second in the history of an instance.</summary>
public sealed class SingleflightSample
{
    internal SingleflightSample(long number, TimeSpan elapsed, SingleflightStats stats, SingleflightLatency? flights) =>
        (Number, Elapsed, Stats, Flights) = (number, elapsed, stats, flights);

    /// <summary>The number of the second. It grows by one each second, and all instances of one history share it.</summary>
    public long Number { get; }

    /// <summary>The time since the sample before. It is longer than a second if the process is busy.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>The flights at the end of the second. Its totals cover this second only.</summary>
    public SingleflightStats Stats { get; }

    /// <summary>How long the flights took that ended within the second. Null if there were none, or if they are not measured.</summary>
    public SingleflightLatency? Flights { get; }
}
