namespace RequestCoalescing;

/// <summary>Which limit a rejected call met.</summary>
public enum FlightRejectionReason
{
    /// <summary>The flight had <see cref="SingleflightOptions.MaxSubscribers"/>.</summary>
    MaxSubscribers,

    /// <summary><see cref="SingleflightOptions.MaxInFlight"/> flights were in the air.</summary>
    MaxInFlight,

    /// <summary>The instance drains: its host is shutting down. Only work that is in the air may still start flights.</summary>
    Draining,
}
