namespace RequestCoalescing;

/// <summary>What happens to a caller past a limit.</summary>
public enum OverflowBehavior
{
    /// <summary>It gets a <see cref="FlightRejectedException"/> at once.</summary>
    Reject,

    /// <summary>Its own work runs for it alone, and nobody joins that run.</summary>
    RunAlone,
}
