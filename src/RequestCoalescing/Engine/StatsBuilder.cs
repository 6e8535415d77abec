namespace RequestCoalescing.Engine;

/// <summary>The counts of all shards, and what stands out among what is in the air.</summary>
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

    public readonly SingleflightStats ToStats() => new()
    {
        InFlightCount = Totals.InFlight,
        TotalSubscribers = Totals.Subscribers,
        OldestCallAge = Oldest,
        LargestFlight = Largest,

        // A call leads, joins, runs alone or is rejected; the flight after an election and one that verifies are no call's.
        Calls = Totals.Flights - Totals.Of(FlightOutcome.Reelected) - Totals.Verifications + Totals.Coalesced + Totals.Rejected,
        Flights = Totals.Flights,
        Coalesced = Totals.Coalesced,
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
