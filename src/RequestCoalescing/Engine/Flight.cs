namespace RequestCoalescing.Engine;

/// <summary>One run of the work for a key: its state, its place among the airborne, and its token.</summary>
/// <remarks>What is mutable is guarded by <see cref="Shard.Gate"/>; the work's view of it reads without.</remarks>
internal abstract class Flight(Shard shard) : IFlight
{
    public readonly Shard Shard = shard;

    /// <summary>Neighbours in the shard's list of what is airborne.</summary>
    public Flight? Older;
    public Flight? Newer;

    public long TakenOffAt;
    public int SubscriberCount;
    public FlightState State;

    /// <summary>True exactly while the table of current flights holds this one under its key.</summary>
    public bool IsCurrent;

    public bool HasSeat;

    /// <summary>How many elections led to this flight.</summary>
    public byte Elections;

    private CancellationTokenSource? _cancellation;

    public abstract object Key { get; }

    public abstract Type ResultType { get; }

    public CancellationToken CancellationToken => (Volatile.Read(ref _cancellation) ?? CreateCancellation()).Token;

    bool IFlight.IsCurrent => Volatile.Read(ref IsCurrent);

    int IFlight.SubscriberCount => Volatile.Read(ref SubscriberCount);

    private bool IsCancellationRequested => State is FlightState.Cancelled or FlightState.Expired || Shard.IsClosed;

    /// <summary>Fires the token, after the state that says so was set. Callbacks run on the thread pool, never on this thread.</summary>
    public void Cancel()
    {
        Interlocked.MemoryBarrier(); // pairs with the exchange below: either we see the source, or its maker sees the state
        if (_cancellation?.CancelAsync() is { IsCompletedSuccessfully: false } callbacks)
        {
            // What a callback throws is its registrant's; there is nobody here to tell, and nobody to be harmed by it.
            callbacks.ContinueWith(
                static callbacks => callbacks.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    /// <summary>Closes the flight as expired. Under the gate.</summary>
    /// <param name="timeout">The error that every subscriber gets.</param>
    public abstract void Expire(FlightTimeoutException timeout);

    /// <summary>Ends the wait of those aboard a flight that has just expired, and tells its work. Outside the gate.</summary>
    public abstract void CompleteExpired(FlightTimeoutException timeout);

    // Most work never asks for its token; the source is made for that which does.
    private CancellationTokenSource CreateCancellation()
    {
        var created = new CancellationTokenSource();
        var source = Interlocked.CompareExchange(ref _cancellation, created, null) ?? created;
        if (IsCancellationRequested) Cancel();
        return source;
    }
}
