namespace RequestCoalescing;

/// <summary>Whether calls are coalesced or only observed.</summary>
public enum RolloutMode
{
    /// <summary>Calls are coalesced.</summary>
    Coalesce,

    /// <summary>
    /// Every call runs alone. The statistics count the calls that coalescing would have saved: <see cref="SingleflightStats.WouldBeFollowers"/>.
    /// </summary>
    Observe,
}
