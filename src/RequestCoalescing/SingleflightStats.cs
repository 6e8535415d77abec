namespace RequestCoalescing;

/// <summary>The counts of the flights in the air now, and the totals since the start.</summary>
public readonly record struct SingleflightStats
{
    /// <summary>Flights in the air now. Forgotten flights and flights that run alone are included.</summary>
    public int InFlightCount { get; init; }

    /// <summary>Subscribers that wait for them now.</summary>
    public long TotalSubscribers { get; init; }

    /// <summary>How long ago the oldest flight in the air took off. Null if there is none.</summary>
    public TimeSpan? OldestCallAge { get; init; }

    /// <summary>The number of subscribers of the flight in the air that has the most. Zero if there is none.</summary>
    public int LargestFlight { get; init; }

    /// <summary>Calls since the start. Calls that were misuse, or whose token had fired before, are not counted.</summary>
    public long Calls { get; init; }

    /// <summary>Runs of work since the start: how often the backend was asked.</summary>
    public long Flights { get; init; }

    /// <summary>Calls since the start that joined a flight.</summary>
    public long Coalesced { get; init; }

    /// <summary>Calls since the start whose work ran for them alone: they were past a limit, or the rollout left them out.</summary>
    public long Alone { get; init; }

    /// <summary>Calls since the start that were rejected by a limit.</summary>
    public long Rejected { get; init; }

    /// <summary>Flights since the start whose work made a value.</summary>
    public long Succeeded { get; init; }

    /// <summary>Flights since the start whose work failed.</summary>
    public long Failed { get; init; }

    /// <summary>Flights since the start that were cancelled, because all subscribers had left or the instance was disposed.</summary>
    public long Cancelled { get; init; }

    /// <summary>Flights since the start that exceeded <see cref="SingleflightOptions.MaxDuration"/> while they had subscribers.</summary>
    public long TimedOut { get; init; }

    /// <summary>Flights since the start that a leader's own cancellation ended, so that the other subscribers elected another leader.</summary>
    public long Elections { get; init; }

    /// <summary>Runs since the start that only verified what a follower got.</summary>
    public long Verifications { get; init; }

    /// <summary>Verifications since the start whose outcome was not what the follower got: the sign of a wrong key.</summary>
    public long Mismatches { get; init; }

    /// <summary>
    /// Verifications since the start that could not tell: the own work was cancelled or timed out, or results of its type cannot be
    /// compared (the log says which and why).
    /// </summary>
    public long Unverifiable { get; init; }

    /// <summary>Calls since the start that were only observed: they ran alone.</summary>
    public long Observed { get; init; }

    /// <summary>Of those, the calls that would have joined a flight.</summary>
    public long WouldBeFollowers { get; init; }

    /// <summary>Runs of work that go on now although <see cref="SingleflightOptions.MaxDuration"/> is over and nobody waits for them.</summary>
    public int AbandonedCount { get; init; }

    /// <summary>
    /// Waits of work since the start that could have closed a circle and were not checked to the end, because too many waits hang together: a
    /// deadlock among them ends with <see cref="SingleflightOptions.MaxDuration"/>.
    /// </summary>
    public long UncheckedWaits { get; init; }

    /// <summary>The share of calls that joined a flight, 0 to 1; 0 before the first call.</summary>
    public double HitRate => Calls == 0 ? 0 : (double)Coalesced / Calls;

    /// <summary>The share of backend calls that coalescing would have saved among the observed calls, 0 to 1; 0 before the first.</summary>
    public double WouldBeReduction => Observed == 0 ? 0 : (double)WouldBeFollowers / Observed;

    /// <summary>The counts of several instances together.</summary>
    /// <param name="instances">What each counts.</param>
    public static SingleflightStats Sum(IEnumerable<SingleflightStats> instances)
    {
        ArgumentNullException.ThrowIfNull(instances);
        return instances.Aggregate(default(SingleflightStats), Add);
    }

    /// <summary>These, with what was counted since others as totals. A count that went down, as engines of the name have gone, is none.</summary>
    internal SingleflightStats Since(SingleflightStats before) => this with
    {
        Calls = Math.Max(0, Calls - before.Calls),
        Flights = Math.Max(0, Flights - before.Flights),
        Coalesced = Math.Max(0, Coalesced - before.Coalesced),
        Alone = Math.Max(0, Alone - before.Alone),
        Rejected = Math.Max(0, Rejected - before.Rejected),
        Succeeded = Math.Max(0, Succeeded - before.Succeeded),
        Failed = Math.Max(0, Failed - before.Failed),
        Cancelled = Math.Max(0, Cancelled - before.Cancelled),
        TimedOut = Math.Max(0, TimedOut - before.TimedOut),
        Elections = Math.Max(0, Elections - before.Elections),
        Verifications = Math.Max(0, Verifications - before.Verifications),
        Mismatches = Math.Max(0, Mismatches - before.Mismatches),
        Unverifiable = Math.Max(0, Unverifiable - before.Unverifiable),
        Observed = Math.Max(0, Observed - before.Observed),
        WouldBeFollowers = Math.Max(0, WouldBeFollowers - before.WouldBeFollowers),
        UncheckedWaits = Math.Max(0, UncheckedWaits - before.UncheckedWaits),
    };

    private static SingleflightStats Add(SingleflightStats a, SingleflightStats b) => new()
    {
        InFlightCount = a.InFlightCount + b.InFlightCount,
        TotalSubscribers = a.TotalSubscribers + b.TotalSubscribers,
        OldestCallAge = a.OldestCallAge > b.OldestCallAge ? a.OldestCallAge : b.OldestCallAge ?? a.OldestCallAge,
        LargestFlight = Math.Max(a.LargestFlight, b.LargestFlight),
        Calls = a.Calls + b.Calls,
        Flights = a.Flights + b.Flights,
        Coalesced = a.Coalesced + b.Coalesced,
        Alone = a.Alone + b.Alone,
        Rejected = a.Rejected + b.Rejected,
        Succeeded = a.Succeeded + b.Succeeded,
        Failed = a.Failed + b.Failed,
        Cancelled = a.Cancelled + b.Cancelled,
        TimedOut = a.TimedOut + b.TimedOut,
        Elections = a.Elections + b.Elections,
        Verifications = a.Verifications + b.Verifications,
        Mismatches = a.Mismatches + b.Mismatches,
        Unverifiable = a.Unverifiable + b.Unverifiable,
        Observed = a.Observed + b.Observed,
        WouldBeFollowers = a.WouldBeFollowers + b.WouldBeFollowers,
        AbandonedCount = a.AbandonedCount + b.AbandonedCount,
        UncheckedWaits = a.UncheckedWaits + b.UncheckedWaits,
    };
}
