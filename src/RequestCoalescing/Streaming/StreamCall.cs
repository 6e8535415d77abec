namespace RequestCoalescing.Streaming;

/// <summary>How a caller asks for a stream. Its work runs if it starts a flight, or is elected to lead one.</summary>
internal sealed class StreamCall<TKey, T>(StreamTable<TKey, T> table, TKey key, Func<FlightContext, ValueTask<StreamSource<T>>> open, FanOutShape shape, TimeSpan maxIdle)
    where TKey : notnull
{
    private volatile SharedStream<T>? _led;
    private volatile SharedStream<T>? _joined;

    /// <summary>The stream of the flight that this call leads. Null if it leads none.</summary>
    public SharedStream<T>? Led => _led;

    /// <summary>The caller has a place in the buffer of this stream. If it is elected, its source goes on there, where the others have their places too.</summary>
    public void OnJoined(SharedStream<T> stream) => _joined = stream;

    public async ValueTask<StreamEnd<T>> RunAsync(FlightContext flight)
    {
        var stream = new SharedStream<T>(flight, SharedStream<T>.TakeVacantBuffer(flight, _joined) ?? new FanOut<T>(shape), maxIdle);
        _led = stream;
        table.Add(key, stream);
        try
        {
            return await stream.RunAsync(open).ConfigureAwait(false);
        }
        finally
        {
            table.Remove(key, stream);
        }
    }
}
