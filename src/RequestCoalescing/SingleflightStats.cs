namespace RequestCoalescing;

/// <summary>The counts of the running flights, and the totals since the start.</summary>
public readonly record struct SingleflightStats
{
    /// <summary>Flights that are in flight now. Forgotten flights and flights that run alone are included.</summary>
    public int InFlightCount { get; init; }

    /// <summary>Subscribers that wait for these flights now.</summary>
    public long TotalSubscribers { get; init; }

    /// <summary>The age of the oldest of these flights. Null if nothing is in flight. A stream has the age zero from its first item on, because it may last for long.</summary>
    public TimeSpan? OldestCallAge { get; init; }

    /// <summary>The number of subscribers of the largest of these flights. Zero if nothing is in flight.</summary>
    public int LargestFlight { get; init; }

    /// <summary>Calls since the start. Misused calls, and calls whose token had fired before, are not counted.</summary>
    public long Calls { get; init; }

    /// <summary>Runs of work since the start: how often the backend was asked.</summary>
    public long Flights { get; init; }

    /// <summary>Calls since the start that joined a flight.</summary>
    public long Coalesced { get; init; }

    /// <summary>Calls since the start whose work ran for them alone, because of a limit or of the rollout.</summary>
    public long Alone { get; init; }

    /// <summary>Calls since the start that were rejected by a limit or a drain.</summary>
    public long Rejected { get; init; }

    /// <summary>Flights since the start whose work returned a value.</summary>
    public long Succeeded { get; init; }

    /// <summary>Flights since the start whose work failed.</summary>
    public long Failed { get; init; }

    /// <summary>Flights since the start that were cancelled, because all subscribers had left or the instance was disposed.</summary>
    public long Cancelled { get; init; }

    /// <summary>Flights since the start that exceeded <see cref="SingleflightOptions.MaxDuration"/> while they had subscribers.</summary>
    public long TimedOut { get; init; }

    /// <summary>Flights since the start that ended with their leader's own cancellation, so that the other subscribers elected a new leader.</summary>
    public long Elections { get; init; }

    /// <summary>Second runs since the start, beside a slow leader. See <c>WithHedging</c>.</summary>
    public long Hedges { get; init; }

    /// <summary>Runs since the start that only verified the result of a follower.</summary>
    public long Verifications { get; init; }

    /// <summary>Verifications since the start whose result differed from the follower's. They are the sign of a wrong key.</summary>
    public long Mismatches { get; init; }

    /// <summary>
    /// Verifications since the start without an answer: the follower's own work was cancelled or timed out, or results of that type cannot be
    /// compared. The log names the type and the reason.
    /// </summary>
    public long Unverifiable { get; init; }

    /// <summary>Calls since the start that were only observed. They ran alone.</summary>
    public long Observed { get; init; }

    /// <summary>Observed calls since the start that would have joined a flight.</summary>
    public long WouldBeFollowers { get; init; }

    /// <summary>Abandoned runs: work that still runs after <see cref="SingleflightOptions.MaxDuration"/>, when no caller waits for it any more.</summary>
    public int AbandonedCount { get; init; }

    /// <summary>
    /// Waits of work since the start whose check for a deadlock was given up, because too many waits depend on each other. A deadlock among them
    /// ends after <see cref="SingleflightOptions.MaxDuration"/>.
    /// </summary>
    public long UncheckedWaits { get; init; }

    /// <summary>The share of calls that joined a flight, 0 to 1. It is 0 before the first call.</summary>
    public double HitRate => Calls == 0 ? 0 : (double)Coalesced / Calls;

    /// <summary>The share of backend calls that coalescing would have saved among the observed calls, 0 to 1. It is 0 before the first one.</summary>
    public double WouldBeReduction => Observed == 0 ? 0 : (double)WouldBeFollowers / Observed;

    /// <summary>Adds up the counts of several instances.</summary>
    /// <param name="instances">The counts of each instance.</param>
    /// <returns>The sums. The oldest age and the largest flight are the maximum over all instances.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="instances"/> is null.</exception>
    public static SingleflightStats Sum(IEnumerable<SingleflightStats> instances)
    {
        ArgumentNullException.ThrowIfNull(instances);
        return instances.Aggregate(default(SingleflightStats), static (a, b) => Totals(a, b, static (x, y) => x + y) with
        {
            InFlightCount = a.InFlightCount + b.InFlightCount,
            TotalSubscribers = a.TotalSubscribers + b.TotalSubscribers,
            OldestCallAge = a.OldestCallAge > b.OldestCallAge ? a.OldestCallAge : b.OldestCallAge ?? a.OldestCallAge,
            LargestFlight = Math.Max(a.LargestFlight, b.LargestFlight),
            AbandonedCount = a.AbandonedCount + b.AbandonedCount,
        });
    }

    /// <summary>Returns the same counts, with the totals since an earlier snapshot. If a total has gone down, because an engine was collected, it is zero.</summary>
    internal SingleflightStats Since(SingleflightStats before) => Totals(this, before, static (now, then) => Math.Max(0, now - then));

    private static SingleflightStats Totals(SingleflightStats a, SingleflightStats b, Func<long, long, long> of) => a with
    {
        Calls = of(a.Calls, b.Calls),
        Flights = of(a.Flights, b.Flights),
        Coalesced = of(a.Coalesced, b.Coalesced),
        Alone = of(a.Alone, b.Alone),
        Rejected = of(a.Rejected, b.Rejected),
        Succeeded = of(a.Succeeded, b.Succeeded),
        Failed = of(a.Failed, b.Failed),
        Cancelled = of(a.Cancelled, b.Cancelled),
        TimedOut = of(a.TimedOut, b.TimedOut),
        Elections = of(a.Elections, b.Elections),
        Hedges = of(a.Hedges, b.Hedges),
        Verifications = of(a.Verifications, b.Verifications),
        Mismatches = of(a.Mismatches, b.Mismatches),
        Unverifiable = of(a.Unverifiable, b.Unverifiable),
        Observed = of(a.Observed, b.Observed),
        WouldBeFollowers = of(a.WouldBeFollowers, b.WouldBeFollowers),
        UncheckedWaits = of(a.UncheckedWaits, b.UncheckedWaits),
    };
}
