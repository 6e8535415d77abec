using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// A caller that waits for a flight and may leave it: the source of the task it awaits, pooled. It is consumed once, by whoever
/// holds the version it was handed out with, and is back in its pool the same moment.
/// </summary>
internal abstract class PooledWait<TResult> : Subscriber<TResult>, IValueTaskSource<TResult>
{
    private const int Consumed = int.MinValue;

    private ManualResetValueTaskSourceCore<Task<TResult>> _core = new() { RunContinuationsAsynchronously = true };
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private int _consumable = Consumed;
    private bool _isAwaitedByWork;
    private bool _isSpent;

    public override bool HasCancelled => _token.IsCancellationRequested;

    private bool IsWaiting => Next is not null && Flight is { State: FlightState.InFlight, HasOutcome: false };

    /// <summary>Begins the wait of one who has come aboard. Under the gate.</summary>
    /// <returns>What the caller awaits.</returns>
    public ValueTask<TResult> Begin(CancellationToken cancellationToken)
    {
        var version = _core.Version;
        Volatile.Write(ref _consumable, version);

        // If the token fires right now the caller leaves within this call, and its wait is over when it gets it.
        if (cancellationToken.CanBeCanceled)
        {
            _token = cancellationToken;
            _registration = cancellationToken.UnsafeRegister(
                static (wait, token) => ((PooledWait<TResult>)wait!).Leave(token), this);
        }

        return new(this, version);
    }

    public override void Complete(Task<TResult> outcome)
    {
        Detach();
        try
        {
            _core.SetResult(outcome);
        }
        catch (Exception)
        {
            // A synchronization context that takes no more work. Its caller is lost with it, but not those behind in the line.
        }
    }

    public override void CompleteCancelled()
    {
        Detach();
        Fail(new OperationCanceledException(_token));
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        var status = _core.GetStatus(token);
        if (status != ValueTaskSourceStatus.Succeeded) return status;
        var outcome = _core.GetResult(token);
        return outcome.IsCompletedSuccessfully ? status : outcome.IsCanceled ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (Lineage.Current is { Shard.Settings.DetectDeadlocks: true } work && _core.GetStatus(token) == ValueTaskSourceStatus.Pending) WaitWithin(work);
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
        _token = default;
        _registration = default;
        _isAwaitedByWork = false;
        Next = Previous = null;
        Flight = null;
        IsLeader = false;
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
            if (_isAwaitedByWork) Lineage.Remove(this); // in the same step: nobody may see a wait that is none any more
        }

        Fail(new OperationCanceledException(token));
        if (isLast) flight.Abort();
    }

    // From here on the work cannot go on until this wait is over. If this wait cannot be over before that work is: say so.
    private void WaitWithin(Flight work)
    {
        if (Flight is not { } flight) return;

        List<Flight>? cycle;
        var isLast = false;
        lock (flight.Shard.Gate)
        {
            if (!IsWaiting || _isAwaitedByWork) return; // awaited twice, if it is; the second time will be told
            flight = Flight!;
            cycle = Lineage.Add(work, this);
            _isAwaitedByWork = cycle is null;
            if (cycle is not null) isLast = flight.Leave(this);
        }

        if (cycle is null) return;
        Detach();
        Fail(DeadlockOf(cycle));
        if (isLast) flight.Abort();
    }

    private static Exception DeadlockOf(List<Flight> cycle)
    {
        try
        {
            return new FlightDeadlockException(cycle.ConvertAll(flight => flight.KeyObject));
        }
        catch (Exception exception)
        {
            return exception; // of a key that cannot be put into words
        }
    }

    private void Fail(Exception exception)
    {
        try
        {
            _core.SetException(exception);
        }
        catch (Exception)
        {
            // As in Complete.
        }
    }

    private void Detach()
    {
        if (_isAwaitedByWork) Lineage.Remove(this);

        // A callback that runs right now still holds this wait, which therefore must not become anybody else's.
        if (_token.CanBeCanceled && !_registration.Unregister()) _isSpent = true;
    }
}
