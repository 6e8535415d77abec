namespace RequestCoalescing;

/// <summary>A call was rejected by a limit. The flights in the air are not touched by it.</summary>
public sealed class FlightRejectedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">The limit that was met.</param>
    /// <param name="limit">The value of that limit; 0 where it is none of number.</param>
    public FlightRejectedException(FlightRejectionReason reason, int limit)
        : base(reason == FlightRejectionReason.Draining
            ? "The call was rejected: the instance is being drained, as its host shuts down."
            : $"The call was rejected: {reason} ({limit}) is reached.") => (Reason, Limit) = (reason, limit);

    /// <summary>The limit that was met.</summary>
    public FlightRejectionReason Reason { get; }

    /// <summary>The value of that limit; 0 for <see cref="FlightRejectionReason.Draining"/>.</summary>
    public int Limit { get; }
}
