using System.Text.Json.Serialization;

namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>What the statistics endpoint answers: all instances together, and each.</summary>
internal sealed record StatsDocument : StatsFields
{
    [JsonPropertyOrder(1)]
    public required IReadOnlyList<InstanceStats> Instances { get; init; }

    public static StatsDocument Of(IEnumerable<SingleflightInstance> instances)
    {
        var each = instances.Select(instance => InstanceStats.Of(instance.Name, instance.GetStats())).ToList();
        return new StatsDocument
        {
            InFlightCount = each.Sum(one => one.InFlightCount),
            TotalSubscribers = each.Sum(one => one.TotalSubscribers),
            OldestCallAgeMs = each.Max(one => one.OldestCallAgeMs),
            LargestFlight = each.Count == 0 ? 0 : each.Max(one => one.LargestFlight),
            Calls = each.Sum(one => one.Calls),
            Flights = each.Sum(one => one.Flights),
            Coalesced = each.Sum(one => one.Coalesced),
            Alone = each.Sum(one => one.Alone),
            Rejected = each.Sum(one => one.Rejected),
            Succeeded = each.Sum(one => one.Succeeded),
            Failed = each.Sum(one => one.Failed),
            Cancelled = each.Sum(one => one.Cancelled),
            TimedOut = each.Sum(one => one.TimedOut),
            Elections = each.Sum(one => one.Elections),
            Verifications = each.Sum(one => one.Verifications),
            Mismatches = each.Sum(one => one.Mismatches),
            Observed = each.Sum(one => one.Observed),
            WouldBeFollowers = each.Sum(one => one.WouldBeFollowers),
            AbandonedCount = each.Sum(one => one.AbandonedCount),
            Instances = each,
        };
    }
}
