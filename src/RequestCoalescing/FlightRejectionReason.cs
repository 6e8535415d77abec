namespace RequestCoalescing;

/// <summary>Why a call was rejected.</summary>
public enum FlightRejectionReason
{
    /// <summary>The flight had <see cref="SingleflightOptions.MaxSubscribers"/> subscribers.</summary>
    MaxSubscribers,

    /// <summary><see cref="SingleflightOptions.MaxInFlight"/> flights were in flight, abandoned runs included.</summary>
    MaxInFlight,

    /// <summary>The instance is draining, because its host is shutting down. Only the work of running flights can still call it.</summary>
    Draining,

    /// <summary>Over HTTP: <c>HttpCoalescingOptions.MaxAlone</c> requests whose response is not shared were at the origin.</summary>
    MaxAlone,

    /// <summary><see cref="BatchLoaderOptions.MaxPending"/> keys waited for the take-off of their batch.</summary>
    MaxPending,
}
