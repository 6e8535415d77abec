namespace RequestCoalescing.Engine;

/// <summary>What a shard counts, under its gate.</summary>
internal struct Counters
{
    public long Flights;
    public long Elections;
    public long Coalesced;
    public long Rejected;
    public long TimedOut;
    public long Subscribers;
    public int InFlight;
    public int Abandoned;

    public void Add(in Counters other)
    {
        Flights += other.Flights;
        Elections += other.Elections;
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
        Calls = Flights - Elections + Coalesced + Rejected, // a call leads, joins or is rejected; an election is no call
        Flights = Flights,
        Coalesced = Coalesced,
        Rejected = Rejected,
        TimedOut = TimedOut,
        AbandonedCount = Abandoned,
    };
}
