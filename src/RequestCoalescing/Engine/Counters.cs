namespace RequestCoalescing.Engine;

/// <summary>What a shard counts, under its gate.</summary>
internal struct Counters
{
    public long Calls;
    public long Flights;
    public long Coalesced;
    public long Rejected;
    public long TimedOut;
    public long Subscribers;
    public int InFlight;
    public int Abandoned;

    public void Add(in Counters other)
    {
        Calls += other.Calls;
        Flights += other.Flights;
        Coalesced += other.Coalesced;
        Rejected += other.Rejected;
        TimedOut += other.TimedOut;
        Subscribers += other.Subscribers;
        InFlight += other.InFlight;
        Abandoned += other.Abandoned;
    }

    public readonly SingleflightStats ToStats(TimeSpan? oldest) => new()
    {
        InFlightCount = InFlight,
        TotalSubscribers = Subscribers,
        OldestCallAge = oldest,
        Calls = Calls,
        Flights = Flights,
        Coalesced = Coalesced,
        Rejected = Rejected,
        TimedOut = TimedOut,
        AbandonedCount = Abandoned,
    };
}
