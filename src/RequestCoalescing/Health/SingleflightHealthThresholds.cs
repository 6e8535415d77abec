namespace RequestCoalescing;

/// <summary>Thresholds for an instance. Null: no threshold.</summary>
public sealed class SingleflightHealthThresholds
{
    /// <summary>Flights in the air. Range: 0 and up.</summary>
    public int? InFlight { get; set; }

    /// <summary>Age of the oldest of them. Range: zero and up.</summary>
    public TimeSpan? OldestAge { get; set; }

    /// <summary>That age as a share of the instance's <see cref="SingleflightOptions.MaxDuration"/>, past which no flight lives. Range: 0 to 1.</summary>
    public double? OldestAgeShare { get; set; }

    /// <summary>Subscribers of one of them. Range: 0 and up.</summary>
    public int? Subscribers { get; set; }

    /// <summary>Runs of abandoned work. Range: 0 and up. With 0, a single run is over the threshold.</summary>
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
        if (stats.InFlightCount > InFlight) yield return $"{stats.InFlightCount} flights in the air (over {InFlight})";
        if (stats.OldestCallAge > OldestAge) yield return $"the oldest took off {stats.OldestCallAge} ago (over {OldestAge})";
        if (stats.OldestCallAge > maxDuration * OldestAgeShare) yield return FormattableString.Invariant($"the oldest took off {stats.OldestCallAge} ago (over {OldestAgeShare:0.##%} of {maxDuration})");
        if (stats.LargestFlight > Subscribers) yield return $"{stats.LargestFlight} subscribers of one flight (over {Subscribers})";
        if (stats.AbandonedCount > Abandoned) yield return $"{stats.AbandonedCount} runs of abandoned work (over {Abandoned})";
    }
}
