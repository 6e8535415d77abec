using System.Text.Json.Serialization;

namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>What the statistics endpoint answers: all instances together, and each.</summary>
internal sealed class StatsDocument(SingleflightStats together, IReadOnlyList<InstanceStats> instances) : StatsFields(together)
{
    [JsonPropertyOrder(1)]
    public IReadOnlyList<InstanceStats> Instances => instances;

    public static StatsDocument Of(IEnumerable<SingleflightInstance> instances)
    {
        var each = instances.Select(instance => (instance.Name, instance.MaxDuration, Stats: instance.GetStats())).ToList();
        return new StatsDocument(
            each.Aggregate(default(SingleflightStats), static (sum, one) => Add(sum, one.Stats)),
            each.ConvertAll(static one => new InstanceStats(one.Name, one.MaxDuration, one.Stats)));
    }

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
    };
}
