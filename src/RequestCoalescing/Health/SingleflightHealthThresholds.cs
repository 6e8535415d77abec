namespace RequestCoalescing;

/// <summary>What an instance may not be over. Null: not looked at.</summary>
public sealed class SingleflightHealthThresholds
{
    /// <summary>Flights in the air. Range: 0 and up.</summary>
    public int? InFlight { get; set; }

    /// <summary>Age of the oldest of them. Range: zero and up.</summary>
    public TimeSpan? OldestAge { get; set; }

    /// <summary>Subscribers of one of them. Range: 0 and up.</summary>
    public int? Subscribers { get; set; }

    /// <summary>Runs of abandoned work. Range: 0 and up; with 0, any is over it.</summary>
    public int? Abandoned { get; set; }

    internal void Validate(string name)
    {
        if (InFlight < 0) throw Negative(nameof(InFlight), InFlight);
        if (OldestAge < TimeSpan.Zero) throw Negative(nameof(OldestAge), OldestAge);
        if (Subscribers < 0) throw Negative(nameof(Subscribers), Subscribers);
        if (Abandoned < 0) throw Negative(nameof(Abandoned), Abandoned);

        ArgumentOutOfRangeException Negative(string threshold, object? value) =>
            new(threshold, value, $"{name}.{threshold} must not be negative.");
    }

    internal IEnumerable<string> Over(SingleflightStats stats)
    {
        if (stats.InFlightCount > InFlight) yield return $"{stats.InFlightCount} flights in the air (over {InFlight})";
        if (stats.OldestCallAge > OldestAge) yield return $"the oldest took off {stats.OldestCallAge} ago (over {OldestAge})";
        if (stats.LargestFlight > Subscribers) yield return $"{stats.LargestFlight} subscribers of one flight (over {Subscribers})";
        if (stats.AbandonedCount > Abandoned) yield return $"{stats.AbandonedCount} runs of abandoned work (over {Abandoned})";
    }
}
