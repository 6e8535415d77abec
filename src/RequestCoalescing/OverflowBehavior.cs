namespace RequestCoalescing;

/// <summary>What happens to a caller past a limit.</summary>
public enum OverflowBehavior
{
    /// <summary>The caller gets a <see cref="FlightRejectedException"/> at once.</summary>
    Reject,

    /// <summary>The caller's own work runs for it alone. No other caller joins that run.</summary>
    RunAlone,
}
