namespace RequestCoalescing.Engine;

/// <summary>Adds up the counts of all shards, and finds the oldest and the largest flight.</summary>
internal struct StatsBuilder
{
    public Counters Totals;
    public TimeSpan? Oldest;
    public int Largest;

    public void Note(Flight flight, TimeSpan age)
    {
        if (!(age <= Oldest)) Oldest = age;
        Largest = Math.Max(Largest, flight.SubscriberCount);
    }

    /// <param name="sharers">The followers without a token since the start, read after the counts of the shards.</param>
    public readonly SingleflightStats ToStats(long sharers) => new()
    {
        InFlightCount = Totals.InFlight,
        TotalSubscribers = Totals.Members + Math.Max(0, sharers - Totals.SharersLanded),
        OldestCallAge = Oldest,
        LargestFlight = Largest,

        // A call leads, joins, runs alone or is rejected. The flight after an election belongs to no new call, nor does a verification.
        Calls = Totals.Flights - Totals.Of(FlightOutcome.Reelected) - Totals.Verifications + Totals.Coalesced + sharers + Totals.Rejected,
        Flights = Totals.Flights,
        Coalesced = Totals.Coalesced + sharers,
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
