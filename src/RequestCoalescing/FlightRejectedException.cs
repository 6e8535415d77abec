namespace RequestCoalescing;

/// <summary>A call was rejected by a limit. The flights in the air are not touched by it.</summary>
public sealed class FlightRejectedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">The limit that was met.</param>
    /// <param name="limit">The value of that limit.</param>
    public FlightRejectedException(FlightRejectionReason reason, int limit)
        : base($"The call was rejected: {reason} ({limit}) is reached.") => (Reason, Limit) = (reason, limit);

    /// <summary>The limit that was met.</summary>
    public FlightRejectionReason Reason { get; }

    /// <summary>The value of that limit.</summary>
    public int Limit { get; }
}
