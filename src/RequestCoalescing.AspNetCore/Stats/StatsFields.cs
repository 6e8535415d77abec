namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>The fields of <see cref="SingleflightStats"/> as they are written, in snake case and milliseconds.</summary>
internal abstract record StatsFields
{
    public int InFlightCount { get; init; }

    public long TotalSubscribers { get; init; }

    public double? OldestCallAgeMs { get; init; }

    public int LargestFlight { get; init; }

    public long Calls { get; init; }

    public long Flights { get; init; }

    public long Coalesced { get; init; }

    public long Alone { get; init; }

    public long Rejected { get; init; }

    public long Succeeded { get; init; }

    public long Failed { get; init; }

    public long Cancelled { get; init; }

    public long TimedOut { get; init; }

    public long Elections { get; init; }

    public long Verifications { get; init; }

    public long Mismatches { get; init; }

    public long Observed { get; init; }

    public long WouldBeFollowers { get; init; }

    public int AbandonedCount { get; init; }

    public double HitRate => Calls == 0 ? 0 : (double)Coalesced / Calls;
}
