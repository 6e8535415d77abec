namespace RequestCoalescing.Batching;

/// <summary>Where a slot is.</summary>
internal enum SlotState
{
    /// <summary>It waits for the other slots of its group.</summary>
    Grouped,

    /// <summary>It waits in the queue for a take-off.</summary>
    Queued,

    /// <summary>Its batch has taken off.</summary>
    TakenOff,

    /// <summary>No caller waited for it any more before a take-off.</summary>
    Left,
}
