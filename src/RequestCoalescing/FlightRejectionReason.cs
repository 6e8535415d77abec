namespace RequestCoalescing;

/// <summary>Why a call was rejected.</summary>
public enum FlightRejectionReason
{
    /// <summary>The flight had <see cref="SingleflightOptions.MaxSubscribers"/> subscribers.</summary>
    MaxSubscribers,

    /// <summary><see cref="SingleflightOptions.MaxInFlight"/> flights were in the air.</summary>
    MaxInFlight,

    /// <summary>The instance drains, because its host shuts down. Only the work of flights that are in the air can still call.</summary>
    Draining,
}
