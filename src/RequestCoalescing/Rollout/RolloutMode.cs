namespace RequestCoalescing;

/// <summary>What an instance does with calls.</summary>
public enum RolloutMode
{
    /// <summary>Coalesces them.</summary>
    Coalesce,

    /// <summary>
    /// Runs every one alone, and counts what coalescing would have saved: <see cref="SingleflightStats.WouldBeFollowers"/>.
    /// </summary>
    Observe,
}
