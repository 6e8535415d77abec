namespace RequestCoalescing;

/// <summary>Which limit a rejected call met.</summary>
public enum FlightRejectionReason
{
    /// <summary>The flight had <see cref="SingleflightOptions.MaxSubscribers"/>.</summary>
    MaxSubscribers,

    /// <summary><see cref="SingleflightOptions.MaxInFlight"/> flights were in the air.</summary>
    MaxInFlight,
}
