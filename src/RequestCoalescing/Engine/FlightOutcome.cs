namespace RequestCoalescing.Engine;

/// <summary>How a flight ended for its subscribers.</summary>
internal enum FlightOutcome
{
    /// <summary>The work made a value.</summary>
    Succeeded,

    /// <summary>The work failed. A cancelled end that the flight did not ask for is a failure too.</summary>
    Failed,

    /// <summary>The last subscriber left, or the engine was disposed.</summary>
    Cancelled,

    /// <summary>The flight exceeded its maximum duration.</summary>
    TimedOut,

    /// <summary>The leader's own cancellation ended the work, and the other subscribers went on to another flight.</summary>
    Reelected,
}
