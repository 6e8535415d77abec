namespace RequestCoalescing.Streaming;

/// <summary>A caller's subscription to a flight that streams. The flight goes on while it has one.</summary>
internal sealed class StreamSubscription<TKey, T>
    where TKey : notnull
{
    private readonly StreamCall<TKey, T> _call;
    private readonly CancellationTokenSource _leave;
    private readonly CancellationToken _left;
    private readonly CancellationToken _token;
    private FanOutReader<T>? _reader;
    private bool _hasLeft;

    /// <summary>Joins a flight, or starts one.</summary>
    public StreamSubscription(ISingleflight<TKey> singleflight, TKey key, StreamCall<TKey, T> call, CancellationToken cancellationToken)
    {
        (_call, _token) = (call, cancellationToken);
        _leave = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _left = _leave.Token;
        Outcome = RunAsync(singleflight, key);
        Outcome.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() =>
        {
            Engine.Outcome.Observe(Outcome);
            if (Volatile.Read(ref _reader) is { } reader) End(reader);
        });
    }

    /// <summary>The stream of the flight that the call leads. Null if it leads none.</summary>
    public SharedStream<T>? Led => _call.Led;

    /// <summary>The outcome of the flight, or a cancellation after the caller has left it.</summary>
    public Task<StreamEnd<T>> Outcome { get; }

    /// <summary>Whether the caller is a subscriber of the flight of a stream.</summary>
    public bool IsTo(SharedStream<T> stream) => stream.HasSubscriber(_left);

    /// <summary>Lets a reader wake up at the end of the flight.</summary>
    public void Attach(SharedStream<T> stream, FanOutReader<T> reader)
    {
        _call.OnJoined(stream);
        Interlocked.Exchange(ref _reader, reader);
        if (Outcome.IsCompleted) End(reader);
    }

    /// <summary>Leaves the flight.</summary>
    public void Leave()
    {
        if (Interlocked.Exchange(ref _hasLeft, true)) return;
        _leave.Cancel();
        _leave.Dispose();
    }

    /// <summary>Whether this is how the caller sees that it has left.</summary>
    public bool IsLeave(OperationCanceledException cancellation) => cancellation.CancellationToken == _left;

    // A caller that has left gives up its place at once, because the source may wait for it.
    private void End(FanOutReader<T> reader)
    {
        if (_left.IsCancellationRequested) reader.Leave();
        else reader.Poke();
    }

    // Awaited in the caller's context, so that the work of another flight that reads the stream counts as waiting for it.
    private async Task<StreamEnd<T>> RunAsync(ISingleflight<TKey> singleflight, TKey key) =>
        await singleflight.ExecuteAsync(key, this, static (subscription, flight) => subscription.LeadAsync(flight), _left).ConfigureAwait(false);

    private async ValueTask<StreamEnd<T>> LeadAsync(FlightContext flight)
    {
        try
        {
            return await _call.RunAsync(flight).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_token.IsCancellationRequested)
        {
            Leave(); // the others elect a leader if this one has left, and the source may have heard of the token first
            throw;
        }
    }
}
