namespace RequestCoalescing.Streaming;

/// <summary>A caller's subscription to a flight that streams. The flight goes on while it has one. The caller's source runs if it starts a flight, or is elected to lead one.</summary>
internal sealed class StreamSubscription<TKey, T>
    where TKey : notnull
{
    private readonly StreamRequest<TKey, T> _request;
    private readonly StreamTable<TKey, T> _table;
    private readonly CancellationTokenSource _leave;
    private readonly CancellationToken _left;
    private volatile SharedStream<T>? _led;
    private volatile SharedStream<T>? _joined;
    private FanOutReader<T>? _reader;
    private bool _hasLeft;

    /// <summary>Joins a flight, or starts one.</summary>
    public StreamSubscription(StreamRequest<TKey, T> request, StreamTable<TKey, T> table)
    {
        (_request, _table) = (request, table);
        _leave = CancellationTokenSource.CreateLinkedTokenSource(request.CancellationToken);
        _left = _leave.Token;
        Outcome = RunAsync();
        Outcome.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() =>
        {
            Engine.Outcome.Observe(Outcome);
            if (Volatile.Read(ref _reader) is { } reader) End(reader);
        });
    }

    /// <summary>The stream of the flight that the call leads. Null if it leads none.</summary>
    public SharedStream<T>? Led => _led;

    /// <summary>The outcome of the flight, or a cancellation after the caller has left it.</summary>
    public Task<StreamEnd<T>> Outcome { get; }

    /// <summary>Whether the caller is a subscriber of the flight of a stream.</summary>
    public bool IsTo(SharedStream<T> stream) => stream.HasSubscriber(_left);

    /// <summary>
    /// The caller has a place in a stream. The end of the flight wakes its reader. If the caller is elected, its source goes on there, where the others have their places too.
    /// </summary>
    public void Attach(SharedStream<T> stream, FanOutReader<T> reader)
    {
        _joined = stream;
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
    private async Task<StreamEnd<T>> RunAsync() =>
        await _request.Singleflight.ExecuteAsync(_request.Key, this, static (subscription, flight) => subscription.LeadAsync(flight), _left).ConfigureAwait(false);

    private async ValueTask<StreamEnd<T>> LeadAsync(FlightContext flight)
    {
        var stream = new SharedStream<T>(flight, _joined?.TakeVacantBuffer() ?? new FanOut<T>(_request.Shape), _request.Options.MaxIdle);
        _led = stream;
        _table.Add(_request.Key, stream);
        try
        {
            return await stream.RunAsync(_request.Open).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_request.CancellationToken.IsCancellationRequested)
        {
            Leave(); // the others elect a leader if this one has left, and the source may have heard of the token first
            throw;
        }
        finally
        {
            _table.Remove(_request.Key, stream);
        }
    }
}
