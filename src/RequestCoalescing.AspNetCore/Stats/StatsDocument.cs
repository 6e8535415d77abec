using System.Text.Json.Serialization;

namespace RequestCoalescing.AspNetCore.Stats;

/// <summary>The answer of the statistics endpoint: the sums over all instances, and each instance.</summary>
internal sealed class StatsDocument(SingleflightStats together, IReadOnlyList<InstanceStats> instances) : StatsFields(together)
{
    [JsonPropertyOrder(1)]
    public IReadOnlyList<InstanceStats> Instances => instances;

    public static StatsDocument Of(IEnumerable<SingleflightInstance> instances)
    {
        var each = instances.Select(instance => (instance.Name, instance.MaxDuration, Stats: instance.GetStats())).ToList();
        return new StatsDocument(
            SingleflightStats.Sum(each.Select(static one => one.Stats)),
            each.ConvertAll(static one => new InstanceStats(one.Name, one.MaxDuration, one.Stats)));
    }
}
