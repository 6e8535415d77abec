namespace RequestCoalescing;

/// <summary>What is in the air now, and the totals since the start.</summary>
public readonly record struct SingleflightStats
{
    /// <summary>Flights in the air now, forgotten ones and those that run alone included.</summary>
    public int InFlightCount { get; init; }

    /// <summary>Subscribers that wait in them now.</summary>
    public long TotalSubscribers { get; init; }

    /// <summary>How long ago the oldest flight in the air took off; null if there is none.</summary>
    public TimeSpan? OldestCallAge { get; init; }

    /// <summary>Calls since the start that were not refused as a misuse or cancelled on arrival.</summary>
    public long Calls { get; init; }

    /// <summary>Runs of work since the start: how often the backend was asked.</summary>
    public long Flights { get; init; }

    /// <summary>Calls since the start that joined a flight.</summary>
    public long Coalesced { get; init; }

    /// <summary>Calls since the start that were rejected by a limit.</summary>
    public long Rejected { get; init; }

    /// <summary>Flights since the start that exceeded <see cref="SingleflightOptions.MaxDuration"/> with subscribers aboard.</summary>
    public long TimedOut { get; init; }

    /// <summary>Runs of work that go on now although <see cref="SingleflightOptions.MaxDuration"/> is over and nobody waits for them.</summary>
    public int AbandonedCount { get; init; }

    /// <summary>The share of calls that joined a flight, 0 to 1; 0 before the first call.</summary>
    public double HitRate => Calls == 0 ? 0 : (double)Coalesced / Calls;
}
