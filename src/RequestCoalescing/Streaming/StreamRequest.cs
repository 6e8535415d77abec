namespace RequestCoalescing.Streaming;

/// <summary>The arguments of a call that asks for a stream.</summary>
/// <param name="Singleflight">The instance.</param>
/// <param name="Key">Names the stream.</param>
/// <param name="Open">Starts the source.</param>
/// <param name="Shape">The sizes of the buffer, if the call starts a flight.</param>
/// <param name="Options">The other options.</param>
/// <param name="OfCall">Lets the caller leave.</param>
/// <param name="OfEnumeration">Lets the caller leave, too.</param>
internal sealed record StreamRequest<TKey, T>(
    ISingleflight<TKey> Singleflight,
    TKey Key,
    Func<FlightContext, ValueTask<StreamSource<T>>> Open,
    FanOutShape Shape,
    StreamOptions Options,
    CancellationToken OfCall,
    CancellationToken OfEnumeration = default)
    where TKey : notnull
{
    /// <summary>Whether the caller is about to leave, or has left.</summary>
    public bool IsCancelled => OfCall.IsCancellationRequested || OfEnumeration.IsCancellationRequested;

    /// <summary>The token that has fired.</summary>
    public CancellationToken Cancelled => OfCall.IsCancellationRequested ? OfCall : OfEnumeration;

    public void ThrowIfCancelled() => Cancelled.ThrowIfCancellationRequested();
}
