namespace RequestCoalescing.Engine;

/// <summary>One run of the work for a key: its state, its place among the airborne, and who is aboard. It is its own token's source.</summary>
/// <remarks>
/// What is mutable is guarded by the shard's gate, under which the methods are called that do not say otherwise; the work's view
/// of it reads without.
/// </remarks>
internal abstract partial class Flight(Shard shard) : CancellationTokenSource, IFlight
{
    public readonly Shard Shard = shard;

    /// <summary>Neighbours in the shard's list of what is airborne, or of what is abandoned.</summary>
    public Flight? Older;
    public Flight? Newer;

    public long TakenOffAt;
    public int SubscriberCount;

    /// <summary>The mixed hash of the key.</summary>
    public uint Hash;

    /// <summary>See <see cref="Drain"/>.</summary>
    public int Epoch;

    public FlightState State;

    /// <summary>True exactly while the table of current flights holds this one.</summary>
    public bool IsCurrent;

    // In one byte, as there are as many of these as flights.
    private byte _marks;

    /// <summary>For the listener: whether the number of subscribers has been warned of. Not guarded.</summary>
    public bool HasWarned;

    /// <summary>What the listener keeps of this flight. Not guarded.</summary>
    public object? ListenerState;

    /// <summary>Whether the run counts against the limit of flights.</summary>
    public bool HasSeat
    {
        get => (_marks & 1) != 0;
        set => _marks = (byte)(value ? _marks | 1 : _marks & ~1);
    }

    /// <summary>Whether it runs for one caller alone, and is nobody's to join.</summary>
    public bool IsAlone
    {
        get => (_marks & 2) != 0;
        init => _marks = (byte)(value ? _marks | 2 : _marks & ~2);
    }

    /// <summary>How many elections led to this flight.</summary>
    public int Elections
    {
        get => (_marks >> 2) & 0xF;
        set => _marks = (byte)((_marks & ~(0xF << 2)) | (value << 2));
    }

    /// <summary>Whether the key has been let go of. Set when the work has ended, when nobody sets other marks any more.</summary>
    protected bool HasReleasedKey
    {
        get => (Volatile.Read(ref _marks) & 0x80) != 0;
        set => Volatile.Write(ref _marks, (byte)(value ? _marks | 0x80 : _marks & ~0x80));
    }

    CancellationToken IFlight.CancellationToken => Token;

    bool IFlight.IsCurrent => Volatile.Read(ref IsCurrent);

    int IFlight.SubscriberCount => Volatile.Read(ref SubscriberCount);

    /// <summary>The key, for a message; null if it is an object, or has some in it, and the work has ended.</summary>
    public abstract object? KeyObject { get; }

    /// <summary>Whether the work has ended, and only its landing is to come: that wins over a cancellation that comes now.</summary>
    public abstract bool HasOutcome { get; }

    /// <summary>Fires the token. Outside the gate; callbacks run on the thread pool, never on this thread.</summary>
    public void CancelWork()
    {
        var callbacks = CancelAsync();
        if (callbacks.IsCompletedSuccessfully) return;

        // What a callback throws is its registrant's; there is nobody here to tell, and nobody to be harmed by it.
        callbacks.ContinueWith(
            static callbacks => callbacks.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>Closes the flight as expired.</summary>
    /// <param name="timeout">The error that every subscriber gets.</param>
    public virtual void Expire(FlightTimeoutException timeout)
    {
        Close(FlightState.Expired, FlightOutcome.TimedOut);
        Shard.Abandon(this);
    }

    /// <summary>Ends the wait of those aboard a flight that has just expired, and cancels its work. Outside the gate.</summary>
    /// <param name="timeout">The error that every subscriber gets.</param>
    /// <param name="aboard">How many they are; null if all had left before.</param>
    public void CompleteExpired(FlightTimeoutException timeout, int? aboard)
    {
        if (Shard.Settings.Listener is { } listener)
        {
            if (aboard is { } subscribers) listener.Landed(this, FlightOutcome.TimedOut, subscribers, timeout);
            listener.Abandoned(this);
        }

        CompleteFailed(timeout);
        CancelWork();
    }

    /// <summary>Ends the wait of those aboard a closed flight with an error. Outside the gate.</summary>
    protected abstract void CompleteFailed(Exception exception);

    /// <summary>Takes the flight out of the table of current flights, where it is.</summary>
    protected abstract void RemoveFromTable();

    /// <summary>The last subscriber has left: cancels the work. Outside the gate.</summary>
    public void Abort()
    {
        Shard.Settings.Listener?.Landed(this, FlightOutcome.Cancelled, subscribers: 0, error: null);
        CancelWork();
    }

    /// <summary>Closes the flight: nobody joins or leaves any more. Those aboard stay so for whoever completes them.</summary>
    protected void Close(FlightState state, FlightOutcome outcome)
    {
        if (State == FlightState.InFlight)
        {
            Shard.Counters.Count(outcome);
            Shard.Counters.InFlight--;
            Shard.Counters.Subscribers -= SubscriberCount;
            SubscriberCount = 0;
            if (IsCurrent) RemoveFromTable();
        }

        State = state;
        if (state != FlightState.Cancelled) Shard.Exit(this); // cancelled work stays airborne until it ends or expires
    }

    /// <summary>The work has ended, in whatever state the flight is: one that is in flight lands with this outcome.</summary>
    /// <returns>How many were aboard a flight that lands now; null if it was closed before.</returns>
    protected int? End(FlightOutcome outcome)
    {
        if (HasSeat) Shard.Settings.ReturnSeat();
        if (State == FlightState.Expired) Shard.EndAbandoned(this);
        if (State is not (FlightState.InFlight or FlightState.Cancelled)) return null;

        int? aboard = State == FlightState.InFlight ? SubscriberCount : null;
        Close(FlightState.Landed, outcome);
        return aboard;
    }

    /// <summary>Lets go of the key: somebody may hold the flight for long, in the context of a loop that its work has started say.</summary>
    protected abstract void ReleaseKey();

    /// <summary>Tells that the work has ended. Outside the gate, before the subscribers are told.</summary>
    protected void ReportEnd(FlightOutcome outcome, int? aboard, Exception? error)
    {
        if (Shard.Settings.Listener is { } listener) ReportEnd(listener, outcome, aboard, error);
        ReleaseKey();
    }

    private void ReportEnd(FlightListener listener, FlightOutcome outcome, int? aboard, Exception? error)
    {
        if (aboard is { } subscribers) listener.Landed(this, outcome, subscribers, error);
        else if (State == FlightState.Expired) listener.AbandonedEnded(this);
    }
}
