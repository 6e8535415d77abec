namespace RequestCoalescing.Streaming;

/// <summary>Whether a <see cref="FanOut{T}"/> has room for the next items.</summary>
internal enum Room
{
    Given,

    /// <summary>The readers must read first.</summary>
    AwaitsReaders,

    /// <summary>Other buffers hold the items that all may keep together.</summary>
    AwaitsBudget,
}
