namespace RequestCoalescing.Streaming;

/// <summary>The arguments of a call that asks for a stream.</summary>
/// <param name="Singleflight">The instance.</param>
/// <param name="Key">Names the stream.</param>
/// <param name="Open">Starts the source.</param>
/// <param name="Shape">The sizes of the buffer, if the call starts a flight.</param>
/// <param name="Options">The other options.</param>
/// <param name="CancellationToken">Lets the caller leave.</param>
internal sealed record StreamRequest<TKey, T>(
    ISingleflight<TKey> Singleflight,
    TKey Key,
    Func<FlightContext, ValueTask<StreamSource<T>>> Open,
    FanOutShape Shape,
    StreamOptions Options,
    CancellationToken CancellationToken)
    where TKey : notnull;
