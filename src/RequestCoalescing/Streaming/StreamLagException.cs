namespace RequestCoalescing;

/// <summary>
/// A reader of a stream was so slow that the items that it needs next are no longer in memory. The other readers are not affected.
/// </summary>
public sealed class StreamLagException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="maxBuffered">The number of items, or bytes, that were kept in memory.</param>
    public StreamLagException(long maxBuffered)
        : base($"The stream was read more than {maxBuffered} items or bytes behind its source. Read it faster, or change {nameof(StreamOptions)}: a longer buffer, or another behavior for lagging readers.") =>
        MaxBuffered = maxBuffered;

    /// <summary>The number of items, or bytes, that were kept in memory.</summary>
    public long MaxBuffered { get; }
}
