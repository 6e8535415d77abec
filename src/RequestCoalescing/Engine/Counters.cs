using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>The counts of a shard, under its gate. Followers that join without the gate are counted here when their flight is closed, or earlier if they enter its ring.</summary>
internal struct Counters
{
    public long Flights;
    public long Coalesced;
    public long Alone;
    public long Verifications;
    public long Rejected;
    public long Members;
    public long UnlistedLanded;
    public int InFlight;
    public int Abandoned;
    private Outcomes _outcomes;

    public void Count(FlightOutcome outcome) => _outcomes[(int)outcome]++;

    public void Add(in Counters other)
    {
        Flights += other.Flights;
        Coalesced += other.Coalesced;
        Alone += other.Alone;
        Verifications += other.Verifications;
        Rejected += other.Rejected;
        Members += other.Members;
        UnlistedLanded += other.UnlistedLanded;
        InFlight += other.InFlight;
        Abandoned += other.Abandoned;
        for (var i = 0; i < Outcomes.Count; i++) _outcomes[i] += other._outcomes[i];
    }

    public readonly long Of(FlightOutcome outcome) => _outcomes[(int)outcome];

    [InlineArray(Count)]
    private struct Outcomes
    {
        public const int Count = (int)FlightOutcome.Reelected + 1;

        private long _first;
    }
}
