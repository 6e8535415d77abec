namespace RequestCoalescing;

/// <summary>What a caller past a limit gets.</summary>
public enum OverflowBehavior
{
    /// <summary>A <see cref="FlightRejectedException"/>, at once.</summary>
    Reject,

    /// <summary>A run of its own work for itself alone, which nobody joins.</summary>
    RunAlone,
}
