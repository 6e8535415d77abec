namespace RequestCoalescing.Streaming;

/// <summary>Limits the items that several buffers keep together.</summary>
internal interface IBufferBudget
{
    /// <returns>Null if they have been taken. Otherwise, a task that completes when others have been given back.</returns>
    Task? Take(long items);

    void GiveBack(long items);
}
