using System.Text.Json.Serialization;

namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>One instance.</summary>
internal sealed record InstanceStats : StatsFields
{
    [JsonPropertyOrder(-1)]
    public required string Name { get; init; }

    public static InstanceStats Of(string name, SingleflightStats stats) => new()
    {
        Name = name,
        InFlightCount = stats.InFlightCount,
        TotalSubscribers = stats.TotalSubscribers,
        OldestCallAgeMs = stats.OldestCallAge?.TotalMilliseconds,
        LargestFlight = stats.LargestFlight,
        Calls = stats.Calls,
        Flights = stats.Flights,
        Coalesced = stats.Coalesced,
        Alone = stats.Alone,
        Rejected = stats.Rejected,
        Succeeded = stats.Succeeded,
        Failed = stats.Failed,
        Cancelled = stats.Cancelled,
        TimedOut = stats.TimedOut,
        Elections = stats.Elections,
        Verifications = stats.Verifications,
        Mismatches = stats.Mismatches,
        Observed = stats.Observed,
        WouldBeFollowers = stats.WouldBeFollowers,
        AbandonedCount = stats.AbandonedCount,
    };
}
