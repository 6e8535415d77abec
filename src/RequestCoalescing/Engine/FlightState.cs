namespace RequestCoalescing.Engine;

/// <summary>Where a flight is. It leaves <see cref="InFlight"/> once, under its shard's gate, and is closed to joiners from then on.</summary>
internal enum FlightState : byte
{
    /// <summary>The work goes on and subscribers wait for it.</summary>
    InFlight,

    /// <summary>The work has ended and its outcome belongs to the subscribers.</summary>
    Landed,

    /// <summary>The last subscriber has left; the work was told to stop and has not ended yet.</summary>
    Cancelled,

    /// <summary>The work did not end within the maximum duration; until it does it is abandoned.</summary>
    Expired,
}
