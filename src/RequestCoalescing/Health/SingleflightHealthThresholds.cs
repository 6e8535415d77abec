namespace RequestCoalescing;

/// <summary>Thresholds for an instance. Null means no threshold.</summary>
public sealed class SingleflightHealthThresholds
{
    /// <summary>The number of flights that are in flight. Range: 0 and up.</summary>
    public int? InFlight { get; set; }

    /// <summary>The age of the oldest flight. Range: zero and up.</summary>
    public TimeSpan? OldestAge { get; set; }

    /// <summary>The age of the oldest flight as a share of the instance's <see cref="SingleflightOptions.MaxDuration"/>. No flight exceeds 1. Range: 0 to 1.</summary>
    public double? OldestAgeShare { get; set; }

    /// <summary>The number of subscribers of one flight. Range: 0 and up.</summary>
    public int? Subscribers { get; set; }

    /// <summary>The number of abandoned runs. Range: 0 and up. With 0, a single run is over the threshold.</summary>
    public int? Abandoned { get; set; }

    internal void Validate(string name)
    {
        const string Natural = "zero or more";
        if (InFlight < 0) throw Wrong(nameof(InFlight), InFlight, Natural);
        if (OldestAge < TimeSpan.Zero) throw Wrong(nameof(OldestAge), OldestAge, Natural);
        if (!(OldestAgeShare is null or (>= 0 and <= 1))) throw Wrong(nameof(OldestAgeShare), OldestAgeShare, "from 0 to 1");
        if (Subscribers < 0) throw Wrong(nameof(Subscribers), Subscribers, Natural);
        if (Abandoned < 0) throw Wrong(nameof(Abandoned), Abandoned, Natural);

        ArgumentOutOfRangeException Wrong(string threshold, object? value, string range) =>
            new(threshold, value, $"{name}.{threshold} must be {range}.");
    }

    internal IEnumerable<string> Over(SingleflightStats stats, TimeSpan maxDuration)
    {
        if (stats.InFlightCount > InFlight) yield return $"{stats.InFlightCount} flights are in flight (over {InFlight})";
        if (stats.OldestCallAge > OldestAge) yield return $"the oldest flight is {stats.OldestCallAge} old (over {OldestAge})";
        if (stats.OldestCallAge > maxDuration * OldestAgeShare) yield return FormattableString.Invariant($"the oldest flight is {stats.OldestCallAge} old (over {OldestAgeShare:0.##%} of MaxDuration, which is {maxDuration})");
        if (stats.LargestFlight > Subscribers) yield return $"one flight has {stats.LargestFlight} subscribers (over {Subscribers})";
        if (stats.AbandonedCount > Abandoned) yield return $"{stats.AbandonedCount} abandoned runs (over {Abandoned})";
    }
}
