using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// A caller that waits for a flight: the source of the task it awaits, pooled. It is consumed once, by whoever holds the version
/// it was handed out with, and is back in its pool the same moment.
/// </summary>
/// <remarks>Guarded by the gate of its flight's shard until it is completed, from then on its own caller's.</remarks>
internal abstract class Subscriber<TResult> : Subscriber, IValueTaskSource<TResult>
{
    private const int Consumed = int.MinValue;

    private ManualResetValueTaskSourceCore<Task<TResult>> _core = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private int _consumable = Consumed;
    private bool _isAwaitedByWork;
    private bool _isSpent;

    /// <summary>Neighbours aboard.</summary>
    public Subscriber<TResult>? Next;
    public Subscriber<TResult>? Previous;

    public Flight<TResult>? Flight;
    public bool IsAboard;
    public bool IsLeader;

    public sealed override Flight? Target => Flight;

    public bool HasCancelled => _registration.Token.IsCancellationRequested;

    private bool IsWaiting => IsAboard && Flight is { State: FlightState.InFlight, HasOutcome: false };

    /// <summary>Begins the wait. Under the gate.</summary>
    /// <returns>What the caller awaits.</returns>
    public ValueTask<TResult> Board(Flight<TResult> flight, CancellationToken cancellationToken)
    {
        Flight = flight;
        IsAboard = true;
        var version = _core.Version;
        Volatile.Write(ref _consumable, version);

        // If the token fires right now the caller leaves within this call, and its wait is over when it gets it.
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(
                static (subscriber, token) => ((Subscriber<TResult>)subscriber!).Leave(token), this);
        }

        return new(this, version);
    }

    /// <summary>Makes the work item that starts the flight which this subscriber was elected to lead.</summary>
    public abstract IThreadPoolWorkItem CreateRun(Flight<TResult> successor);

    /// <summary>Hands over the outcome. Its flight is closed.</summary>
    public void Complete(Task<TResult> outcome)
    {
        Detach();
        _core.SetResult(outcome);
    }

    /// <summary>Lets go of a subscriber whose token has fired. It is not aboard any more.</summary>
    public void CompleteCancelled()
    {
        var exception = new OperationCanceledException(_registration.Token);
        Detach();
        _core.SetException(exception);
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (Lineage.Current is { } work && _core.GetStatus(token) == ValueTaskSourceStatus.Pending) WaitWithin(work);
        _core.OnCompleted(continuation, state, token, flags);
    }

    public TResult GetResult(short token)
    {
        // One of several that misuse the same version wins; for the others there is nothing to get, and nobody else's to take.
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending ||
            Interlocked.CompareExchange(ref _consumable, Consumed, token) != token)
        {
            throw new InvalidOperationException("The ValueTask was awaited twice, or its result was read before it completed.");
        }

        Task<TResult> outcome;
        try
        {
            outcome = _core.GetResult(token);
        }
        finally
        {
            if (!_isSpent) Recycle();
        }

        return outcome.GetAwaiter().GetResult();
    }

    /// <summary>Forgets everything about this wait.</summary>
    protected void Reset()
    {
        _core.Reset();
        _registration = default;
        _isAwaitedByWork = false;
        Next = Previous = null;
        Flight = null;
        IsAboard = IsLeader = false;
    }

    /// <summary>Resets this and returns it to its pool.</summary>
    protected abstract void Recycle();

    private void Leave(CancellationToken token)
    {
        var flight = Flight!;
        bool isLast;
        lock (flight.Shard.Gate)
        {
            if (!IsWaiting) return;
            flight = Flight!; // an election may have come first
            isLast = flight.Leave(this);
        }

        if (_isAwaitedByWork) Lineage.Remove(this);
        _core.SetException(new OperationCanceledException(token));
        if (isLast) flight.Cancel();
    }

    // From here on the work cannot go on until this wait is over. If this wait cannot be over before that work is: say so.
    private void WaitWithin(Flight work)
    {
        if (Flight is not { } flight) return;

        IReadOnlyList<Flight>? cycle;
        var isLast = false;
        lock (flight.Shard.Gate)
        {
            if (!IsWaiting) return;
            flight = Flight!;
            cycle = Lineage.Add(work, this);
            _isAwaitedByWork = cycle is null;
            if (cycle is not null) isLast = flight.Leave(this);
        }

        if (cycle is null) return;
        Detach();
        _core.SetException(new FlightDeadlockException([.. cycle.Select(flight => flight.Key)]));
        if (isLast) flight.Cancel();
    }

    private void Detach()
    {
        if (_isAwaitedByWork) Lineage.Remove(this);

        // A callback that runs right now still holds this subscriber, which therefore must not become anybody else's.
        if (_registration.Token.CanBeCanceled && !_registration.Unregister()) _isSpent = true;
    }
}
