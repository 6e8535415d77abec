using System.Text.Json.Serialization;

namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>The statistics of one instance.</summary>
internal sealed class InstanceStats(string name, TimeSpan maxDuration, SingleflightStats stats) : StatsFields(stats)
{
    [JsonPropertyOrder(-1)]
    public string Name => name;

    public double MaxDurationMs => maxDuration.TotalMilliseconds;
}
