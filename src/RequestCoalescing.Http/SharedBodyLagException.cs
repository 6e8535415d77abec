namespace RequestCoalescing.Http;

/// <summary>
/// A subscriber has read the body of a shared response so slowly that the bytes that it needs next are no longer in memory. The other subscribers are not
/// affected.
/// </summary>
public sealed class SharedBodyLagException : IOException
{
    internal SharedBodyLagException(long maxBufferedBytes)
        : base($"The body of this shared response was read more than {maxBufferedBytes} bytes behind its origin. Read it faster, or raise {nameof(HttpCoalescingOptions.MaxBufferedBytes)}.") =>
        MaxBufferedBytes = maxBufferedBytes;

    /// <summary>The number of bytes that were kept in memory.</summary>
    public long MaxBufferedBytes { get; }
}
