namespace RequestCoalescing.Batching;

/// <summary>The slots of keys that one call asks for. They enter the queue together, so that they share batches. Guarded by the queue's gate.</summary>
internal sealed class SlotGroup<TKey, TValue>
    where TKey : notnull
{
    public List<Slot<TKey, TValue>> Slots { get; } = [];

    /// <summary>Whether the call is still asking. A slot that comes later enters the queue alone.</summary>
    public bool IsOpen { get; set; } = true;
}
