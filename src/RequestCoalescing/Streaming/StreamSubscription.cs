using RequestCoalescing.Engine;

namespace RequestCoalescing.Streaming;

/// <summary>A caller's subscription to a flight that streams. The flight goes on while it has one. The caller's source runs if it starts a flight, or is elected to lead one.</summary>
internal sealed class StreamSubscription<TKey, T> : FlightObserver<StreamEnd<T>>
    where TKey : notnull
{
    private readonly StreamRequest<TKey, T> _request;
    private readonly CancellationTokenSource _leave;
    private readonly CancellationToken _left;
    private volatile StreamLineage<T>? _lineage;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FanOutReader<T>? _reader;
    private bool _hasLeft;

    /// <summary>Joins a flight, or starts one.</summary>
    public StreamSubscription(StreamRequest<TKey, T> request)
    {
        _request = request;
        _leave = CancellationTokenSource.CreateLinkedTokenSource(request.OfCall, request.OfEnumeration);
        _left = _leave.Token;
        _left.UnsafeRegister(static subscription => ((StreamSubscription<TKey, T>)subscription!).OnChanged(), this); // a decorator may withhold the token from the flight
        Outcome = RunAsync();
        Outcome.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() =>
        {
            Engine.Outcome.Observe(Outcome);
            OnChanged();
        });
    }

    /// <summary>The stream of the flight. It is null until the source begins, and changes if a decorator lets the call join again.</summary>
    public SharedStream<T>? Stream => _lineage?.Current;

    /// <summary>The outcome of the flight, or a cancellation after the caller has left it.</summary>
    public Task<StreamEnd<T>> Outcome { get; }

    /// <summary>Completes when <see cref="Stream"/> or <see cref="Outcome"/> changes, and when the caller leaves. Get it before you look at them.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>The caller has a place in a stream. The reader is woken when the flight ends, or when the call joins another one.</summary>
    public void Attach(FanOutReader<T> reader)
    {
        Interlocked.Exchange(ref _reader, reader);
        WakeIfOver(reader);
    }

    /// <summary>Leaves the flight, and gives up the place in its stream, before the others elect a leader.</summary>
    public void Leave()
    {
        if (Interlocked.Exchange(ref _hasLeft, true)) return;
        _leave.Cancel();
        _leave.Dispose();
    }

    /// <summary>Whether this is how the caller sees that it has left.</summary>
    public bool IsLeave(OperationCanceledException cancellation) => cancellation.CancellationToken == _left;

    public override object LineageOf(IStreamFlight flight) => StreamLineage<T>.Of(flight);

    public override void OnJoined(object lineage) => Follow((StreamLineage<T>)lineage);

    private void Follow(StreamLineage<T> lineage)
    {
        if (_lineage == lineage) return;
        _lineage = lineage;
        if (lineage.Begun.IsCompleted) OnChanged();
        else lineage.Begun.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(OnChanged);
    }

    private void OnChanged()
    {
        Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        if (Volatile.Read(ref _reader) is { } reader) WakeIfOver(reader);
    }

    // A caller that has left gives up its place at once, because the source may wait for it.
    private void WakeIfOver(FanOutReader<T> reader)
    {
        if (_left.IsCancellationRequested) reader.Leave();
        else if (Outcome.IsCompleted || Stream?.Buffer != reader.Buffer) reader.Poke();
    }

    // Awaited in the caller's context, so that the work of another flight that reads the stream counts as waiting for it.
    private async Task<StreamEnd<T>> RunAsync()
    {
        Current = this;
        return await _request.Singleflight.ExecuteAsync(_request.Key, this, static (subscription, flight) => subscription.LeadAsync(flight), _left).ConfigureAwait(false);
    }

    private async ValueTask<StreamEnd<T>> LeadAsync(FlightContext flight)
    {
        Current = null; // what the source starts does not keep the subscription alive
        var stream = Begin(flight);
        try
        {
            return await stream.RunAsync(_request.Open).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_request.IsCancelled)
        {
            Leave(); // the others elect a leader if this one has left, and the source may have heard of the token first
            throw;
        }
    }

    // A decorator may hide the engine's flight from its work. A stream in the innermost flight that has not begun is this one. A decorator may also run
    // the work again.
    private SharedStream<T> Begin(FlightContext flight)
    {
        var airborne = flight.Stream ?? (FlightScope.Current is { } innermost && innermost.ResultType == typeof(StreamEnd<T>) ? innermost : null);
        var lineage = airborne is null ? new StreamLineage<T>() : StreamLineage<T>.Of(airborne);
        if (!lineage.TryBegin(flight, airborne, _request.Shape, _request.Options.MaxIdle, out var stream))
        {
            if (lineage == _lineage) lineage.Current!.RefuseRepetition();
            lineage = new StreamLineage<T>();
            lineage.TryBegin(flight, airborne: null, _request.Shape, _request.Options.MaxIdle, out stream);
        }

        Follow(lineage);
        return stream!;
    }
}
