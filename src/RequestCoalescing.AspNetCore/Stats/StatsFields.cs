namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>The fields of <see cref="SingleflightStats"/> as they are written to JSON: in snake case, with durations in milliseconds.</summary>
internal abstract class StatsFields(SingleflightStats stats)
{
    public int InFlightCount => stats.InFlightCount;

    public long TotalSubscribers => stats.TotalSubscribers;

    public double? OldestCallAgeMs => stats.OldestCallAge?.TotalMilliseconds;

    public int LargestFlight => stats.LargestFlight;

    public long Calls => stats.Calls;

    public long Flights => stats.Flights;

    public long Coalesced => stats.Coalesced;

    public long Alone => stats.Alone;

    public long Rejected => stats.Rejected;

    public long Succeeded => stats.Succeeded;

    public long Failed => stats.Failed;

    public long Cancelled => stats.Cancelled;

    public long TimedOut => stats.TimedOut;

    public long Elections => stats.Elections;

    public long Hedges => stats.Hedges;

    public long Verifications => stats.Verifications;

    public long Mismatches => stats.Mismatches;

    public long Unverifiable => stats.Unverifiable;

    public long Observed => stats.Observed;

    public long WouldBeFollowers => stats.WouldBeFollowers;

    public int AbandonedCount => stats.AbandonedCount;

    public long UncheckedWaits => stats.UncheckedWaits;

    public double HitRate => stats.HitRate;
}
