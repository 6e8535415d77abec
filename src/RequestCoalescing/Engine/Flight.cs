using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>One run of the work for a key: its state, its place in the shard's list of airborne flights, and its subscribers. It is also the source of the work's token.</summary>
/// <remarks>
/// The shard's gate guards all fields that change. Methods are called under the gate unless they say otherwise. The work's view of its flight
/// reads without the gate.
/// </remarks>
internal abstract partial class Flight(Shard shard) : CancellationTokenSource, IFlight, IStreamFlight
{
    public readonly Shard Shard = shard;

    /// <summary>Neighbours in the shard's list of airborne flights, or of abandoned ones.</summary>
    public Flight? Older;
    public Flight? Newer;

    public long TakenOffAt;

    /// <summary>The number of subscribers in the ring without the shared wait, plus a leader that is not in the ring yet.</summary>
    public int Members;

    /// <summary>The mixed hash of the key.</summary>
    public uint Hash;

    /// <summary>See <see cref="Drain"/>.</summary>
    public int Epoch;

    public FlightState State;

    /// <summary>True exactly while the table of current flights holds this one.</summary>
    public bool IsCurrent;

    /// <summary>Whether the listener has noticed that the number of subscribers is past its threshold. Not guarded.</summary>
    public bool IsLarge;

    // Flags in one byte, because every flight has them.
    private byte _marks;

    /// <summary>The listener's own state for this flight. Not guarded.</summary>
    public object? ListenerState;

    /// <summary>Whether the run takes one of the <see cref="SingleflightOptions.MaxInFlight"/> slots.</summary>
    public bool HasSlot
    {
        get => (_marks & 1) != 0;
        set => _marks = (byte)(value ? _marks | 1 : _marks & ~1);
    }

    /// <summary>Whether the flight runs for one caller alone. Other callers cannot join it.</summary>
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

    /// <summary>Whether <see cref="SingleflightOptions.MaxDuration"/> no longer concerns the flight. Its subscribers have the beginning of a stream.</summary>
    public bool IsStreaming
    {
        get => (Volatile.Read(ref _marks) & 0x40) != 0;
        private set => _marks = (byte)(value ? _marks | 0x40 : _marks & ~0x40);
    }

    /// <summary>Whether the key has been released. Set without the gate, after the work has ended, when the other flags no longer change.</summary>
    protected bool HasReleasedKey
    {
        get => (Volatile.Read(ref _marks) & 0x80) != 0;
        set => Volatile.Write(ref _marks, (byte)(value ? _marks | 0x80 : _marks & ~0x80));
    }

    CancellationToken IFlight.CancellationToken => Token;

    bool IFlight.IsCurrent => Volatile.Read(ref IsCurrent);

    /// <summary>The number of subscribers, while the flight is in flight.</summary>
    public int SubscriberCount => State == FlightState.InFlight ? (int)UnlistedCount - UnlistedLeft + Volatile.Read(ref Members) : 0; // arrivals that enter the ring meanwhile are counted twice, and none is missed

    /// <summary>The number of callers that have joined without the gate, and that the shard's counters do not include yet. Some may have left.</summary>
    public long UnlistedCount => (Volatile.Read(ref First)?.CallerCount ?? 0) + (Volatile.Read(ref Arrivals)?.Count ?? 0);

    /// <summary>Those of <see cref="UnlistedCount"/> that have left.</summary>
    public int UnlistedLeft => Volatile.Read(ref Arrivals)?.Left ?? 0;

    /// <summary>The key, for a message. Null after the work has ended, if the key is an object or refers to objects.</summary>
    public abstract object? KeyObject { get; }

    /// <summary>The type of the result, which all callers of a key must share.</summary>
    public abstract Type ResultType { get; }

    /// <summary>Whether the work has ended and the landing has not happened yet. The outcome then wins over a cancellation that comes now.</summary>
    public abstract bool HasOutcome { get; }

    /// <summary>Fires the token. Outside the gate. Callbacks run on the thread pool, never on this thread.</summary>
    public void CancelWork()
    {
        // The error of a callback belongs to the code that registered it. It must not surface anywhere else.
        if (CancelAsync() is { IsCompletedSuccessfully: false } callbacks) Outcome.ObserveAtEnd(callbacks);
    }

    /// <summary>Makes sure that no further caller joins.</summary>
    /// <returns>The number of subscribers, which only becomes smaller from now on.</returns>
    public int CloseToJoiners()
    {
        if (IsCurrent) RemoveFromTable();
        return SubscriberCount;
    }

    /// <summary>Closes the flight as expired.</summary>
    /// <param name="timeout">The error that every subscriber gets.</param>
    public virtual void Expire(FlightTimeoutException timeout)
    {
        Close(FlightState.Expired, FlightOutcome.TimedOut);
        Shard.Abandon(this);
    }

    /// <summary>The flight has just expired: completes its subscribers and cancels its work. Outside the gate.</summary>
    /// <param name="timeout">The error that every subscriber gets.</param>
    /// <param name="hadSubscribers">False if all subscribers had left before.</param>
    public void OnExpired(FlightTimeoutException timeout, bool hadSubscribers)
    {
        if (Shard.Settings.Listener is { } listener)
        {
            if (hadSubscribers) listener.Landed(this, FlightOutcome.TimedOut, timeout.Subscribers, timeout);
            listener.Abandoned(this);
        }

        CompleteFailed(timeout);
        CancelWork();
    }

    /// <summary>The last subscriber has left: cancels the work. Outside the gate.</summary>
    public void OnAllLeft()
    {
        Shard.Settings.Listener?.Landed(this, FlightOutcome.Cancelled, subscribers: 0, error: null);
        CancelWork();
    }

    /// <summary>Completes the subscribers of a closed flight with an error. Outside the gate.</summary>
    protected abstract void CompleteFailed(Exception exception);

    /// <summary>Takes the flight out of the table of current flights.</summary>
    protected abstract void RemoveFromTable();

    /// <summary>Releases the key. A loop that the work has started may keep the flight alive for long, through its execution context.</summary>
    protected abstract void ReleaseKey();

    /// <summary>Closes the flight: no subscriber joins or leaves it any more. The closing thread completes its subscribers.</summary>
    protected void Close(FlightState state, FlightOutcome outcome)
    {
        if (State == FlightState.InFlight)
        {
            CloseToJoiners();
            Shard.Counters.Count(outcome);
            Shard.Counters.InFlight--;
            Shard.Counters.Members -= Members;
            Shard.Counters.UnlistedLanded += UnlistedCount;
            Members = 0;
        }

        State = state;
        if (state != FlightState.Cancelled) Shard.RemoveAirborne(this); // cancelled work stays airborne until it ends or expires
    }

    /// <summary>Handles the end of the work. If the flight is still in flight, it lands with this outcome.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="subscribers">The number of subscribers that get it.</param>
    /// <returns>Whether the flight lands now. False if it was closed before.</returns>
    protected bool EndWork(FlightOutcome outcome, out int subscribers)
    {
        var isInFlight = State == FlightState.InFlight;
        subscribers = CloseToJoiners();
        if (HasSlot) Shard.Settings.ReturnSlot();
        if (State == FlightState.Expired) Shard.EndAbandoned(this);
        else if (State != FlightState.Landed) Close(FlightState.Landed, outcome);
        return isInFlight;
    }

    /// <summary>Notifies the listener that a follower has joined. Call it outside the gate.</summary>
    /// <param name="ordinal">See <see cref="FlightListener.OnJoined"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // as Turnstile.Enter
    protected void ReportJoin(long ordinal) => Shard.Settings.Listener?.OnJoined(this, ordinal);

    /// <summary>Notifies the listener that the work has ended. Call it outside the gate, before any subscriber is completed.</summary>
    protected void ReportEnd(bool hasLanded, FlightOutcome outcome, int subscribers, Exception? error)
    {
        if (Shard.Settings.Listener is { } listener)
        {
            if (hasLanded) listener.Landed(this, outcome, subscribers, error);
            else if (State == FlightState.Expired) listener.AbandonedEnded(this);
        }

        ReleaseKey();
    }
}
