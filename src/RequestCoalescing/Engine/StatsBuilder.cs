namespace RequestCoalescing.Engine;

/// <summary>Adds up the counts of all shards, and finds the oldest and the largest flight.</summary>
internal struct StatsBuilder
{
    public Counters Totals;
    public TimeSpan? Oldest;
    public int Largest;

    // Callers of the flights in flight that the counters do not include yet, and those of them that have left.
    private long _unlisted;
    private long _unlistedLeft;

    public void Note(Flight flight, TimeSpan age)
    {
        if (!(age <= Oldest)) Oldest = age;
        Largest = Math.Max(Largest, flight.SubscriberCount);
        _unlisted += flight.UnlistedCount;
        _unlistedLeft += flight.UnlistedLeft;
    }

    public void Add(in StatsBuilder other)
    {
        Totals.Add(other.Totals);
        if (!(other.Oldest <= Oldest)) Oldest = other.Oldest ?? Oldest;
        Largest = Math.Max(Largest, other.Largest);
        _unlisted += other._unlisted;
        _unlistedLeft += other._unlistedLeft;
    }

    public readonly long Coalesced => Totals.Coalesced + Totals.UnlistedLanded + _unlisted;

    public readonly SingleflightStats ToStats() => new()
    {
        InFlightCount = Totals.InFlight,
        TotalSubscribers = Totals.Members + _unlisted - _unlistedLeft,
        OldestCallAge = Oldest,
        LargestFlight = Largest,

        // A call leads, joins, runs alone or is rejected. The flight after an election belongs to no new call, nor does a verification.
        Calls = Totals.Flights - Totals.Of(FlightOutcome.Reelected) - Totals.Verifications + Coalesced + Totals.Rejected,
        Flights = Totals.Flights,
        Coalesced = Coalesced,
        Alone = Totals.Alone,
        Rejected = Totals.Rejected,
        Succeeded = Totals.Of(FlightOutcome.Succeeded),
        Failed = Totals.Of(FlightOutcome.Failed),
        Cancelled = Totals.Of(FlightOutcome.Cancelled),
        TimedOut = Totals.Of(FlightOutcome.TimedOut),
        Elections = Totals.Of(FlightOutcome.Reelected),
        Verifications = Totals.Verifications,
        AbandonedCount = Totals.Abandoned,
    };
}
