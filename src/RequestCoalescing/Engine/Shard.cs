namespace RequestCoalescing.Engine;

/// <summary>A part of the engine with one gate, and what the gate guards: the list of airborne flights, oldest first, the timer for the oldest, and the counters.</summary>
internal abstract partial class Shard(Settings settings)
{
    /// <summary>
    /// Guards the shard, its flights and their subscribers. It is held for a few dozen instructions. No work, callback or continuation runs
    /// under it.
    /// </summary>
    public readonly Lock Gate = new();

    public readonly Settings Settings = settings;

    public Counters Counters;

    // Set while this thread compares keys. A comparison that calls any engine is refused.
    [ThreadStatic]
    protected static bool IsComparing;

    // The most flights that are looked at, expired or forgotten before the gate is released for others.
    public const int MaxAtOnce = 64;

    private const int MaxRestarts = 8;

    private Flight? _oldest;
    private Flight? _newest;
    private ITimer? _timer;
    private bool _isTimerSet;
    private TaskCompletionSource? _emptied;
    private Flight? _abandoned;
    private Flight? _streaming; // the last to begin comes first
    private long _moves; // see OnMoved

    /// <summary>Whether the timer is set for the oldest airborne flight.</summary>
    protected bool IsTimed => _isTimerSet;

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Adds the shard's counts to the totals.</summary>
    public void AddTo(ref StatsBuilder stats)
    {
        for (var attempt = 0; ; attempt++)
        {
            var part = default(StatsBuilder);
            Flight? next;
            long moves;
            lock (Gate)
            {
                moves = _moves;
                part.Totals = Counters;
                next = Note(_oldest ?? _streaming, ref part);
            }

            var isWhole = true;
            while (next is not null && isWhole)
            {
                LetOthersIn();
                lock (Gate)
                {
                    // The walk loses its place if that flight is gone. It would count callers twice, or not at all, if they had moved.
                    isWhole = next.State is not (FlightState.Landed or FlightState.Expired) && moves == _moves;
                    if (isWhole) next = Note(next, ref part);
                }
            }

            // If flights land too fast for a walk, the look is at the oldest ones only.
            if (!isWhole && attempt < MaxRestarts) continue;
            stats.Add(part);
            return;
        }
    }

    private Flight? Note(Flight? flight, ref StatsBuilder stats)
    {
        if (flight is null) return null;
        var now = Settings.Clock.GetTimestamp();
        for (var looks = 0; flight is not null && looks < MaxAtOnce; looks++, flight = After(flight))
        {
            // A stream may last for long, and is not stuck for that reason.
            if (flight.State == FlightState.InFlight) stats.Note(flight, flight.IsStreaming ? TimeSpan.Zero : Settings.Clock.GetElapsedTime(flight.TakenOffAt, now));
        }

        return flight;

        Flight? After(Flight flight) => flight.Newer ?? (flight.IsStreaming ? null : _streaming);
    }

    /// <summary>Lists flights in the air, the oldest of this shard first.</summary>
    public void List(List<(object Key, TimeSpan Age, int Subscribers, bool IsCurrent)> flights, int max)
    {
        lock (Gate)
        {
            foreach (var first in (ReadOnlySpan<Flight?>)[_oldest, _streaming])
            {
                for (var (flight, left) = (first, max); flight is not null && left > 0; flight = flight.Newer)
                {
                    if (flight.State != FlightState.InFlight) continue;
                    flights.Add((flight.KeyObject!, Settings.Clock.GetElapsedTime(flight.TakenOffAt), flight.SubscriberCount, flight.IsCurrent));
                    left--;
                }
            }
        }
    }

    /// <summary>Lists the runs of abandoned work.</summary>
    public void ListAbandoned(List<(object Key, TimeSpan Age, int Subscribers, bool IsCurrent)> runs)
    {
        lock (Gate)
        {
            for (var flight = _abandoned; flight is not null; flight = flight.Newer) runs.Add((flight.KeyObject!, Settings.Clock.GetElapsedTime(flight.TakenOffAt), 0, false));
        }
    }

    /// <summary>The settings have changed.</summary>
    /// <param name="takesSlots">Whether flights take slots from now on, and did not before.</param>
    public void OnSettingsChanged(bool takesSlots)
    {
        lock (Gate)
        {
            if (_isTimerSet) SetTimer();
            if (!takesSlots) return;
            TakeSlots(_oldest);
            TakeSlots(_streaming);
            TakeSlots(_abandoned);
        }

        void TakeSlots(Flight? flight)
        {
            for (; flight is not null; flight = flight.Newer)
            {
                if (flight.HasSlot || flight.IsAlone) continue;
                flight.HasSlot = true;
                Settings.TakeSlot();
            }
        }
    }

    /// <summary>Waits until a call that holds the gate has joined a flight, taken off or been refused.</summary>
    public void PassGate()
    {
        lock (Gate)
        {
        }
    }

    /// <summary>Returns whether no flight is airborne.</summary>
    /// <param name="entered">Is increased by the number of flights that have ever taken off in this shard.</param>
    public bool IsEmpty(ref long entered)
    {
        lock (Gate)
        {
            entered += Counters.Flights;
            return IsEmpty();
        }
    }

    /// <returns>Completes when no flight is airborne.</returns>
    public Task WhenEmptyAsync()
    {
        lock (Gate) return WhenEmpty();
    }

    /// <summary>Cancels the airborne flights. The settings refuse take-offs by now.</summary>
    /// <returns>Completes when no flight is airborne.</returns>
    public Task Close()
    {
        Clear();
        var airborne = new List<Flight>();
        Task emptied;
        lock (Gate)
        {
            emptied = WhenEmpty();
            if (IsClosed) return emptied;
            IsClosed = true;
            for (var flight = _oldest; flight is not null; flight = flight.Newer) airborne.Add(flight);
            for (var flight = _streaming; flight is not null; flight = flight.Newer) airborne.Add(flight);
            if (airborne.Count == 0) _timer?.Dispose();
        }

        foreach (var flight in airborne) flight.CancelWork();
        return emptied;
    }

    /// <summary>Adds a flight that takes off now. Its leader is its only subscriber so far. Under the gate.</summary>
    public void AddAirborne(Flight flight, int epoch, long now)
    {
        if (_newest is { } newest && newest.TakenOffAt > now) ForgetFuture(now); // so that the list stays in order
        flight.Epoch = epoch;
        Counters.Flights++;
        Counters.InFlight++;
        Counters.Members++;
        flight.Members = 1;
        flight.TakenOffAt = now;
        flight.Older = _newest;
        if (_newest is null) _oldest = flight;
        else _newest.Newer = flight;
        _newest = flight;
    }

    /// <summary>Adds an airborne flight that the timer no longer concerns. Call it under the gate.</summary>
    public void AddStreaming(Flight flight)
    {
        flight.Newer = _streaming;
        if (_streaming is not null) _streaming.Older = flight;
        _streaming = flight;
        OnMoved();
    }

    /// <summary>Removes a flight from the airborne flights, because it has landed or expired. Call it under the gate.</summary>
    /// <param name="flight">The flight.</param>
    /// <param name="isMoved">Whether it stays airborne, and is about to be added elsewhere.</param>
    public void RemoveAirborne(Flight flight, bool isMoved = false)
    {
        if (flight.Older is not null) flight.Older.Newer = flight.Newer;
        else if (flight.IsStreaming) _streaming = flight.Newer;
        else _oldest = flight.Newer;
        if (flight.Newer is not null) flight.Newer.Older = flight.Older;
        else if (!flight.IsStreaming) _newest = flight.Older;
        flight.Older = flight.Newer = null;

        if (_oldest is not null) return;
        if (_isTimerSet)
        {
            _isTimerSet = false;
            _timer!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        if (isMoved || _streaming is not null) return;
        _emptied?.TrySetResult();
        if (IsClosed) _timer?.Dispose();
    }

    /// <summary>Subscribers have moved to where a look at the statistics may count them again, or not at all. Call it under the gate.</summary>
    public void OnMoved() => _moves++;

    /// <summary>Returns whether a flight may have a successor: the engine is not disposed, and its drain, if any, admits the flight's epoch. Call it under the gate.</summary>
    public bool MayElect(Flight flight) => !IsClosed && (Settings.Drain?.Admits(flight.Epoch) ?? true);

    /// <summary>Forgets every current flight.</summary>
    public abstract void Clear();

    /// <summary>Leaves the gate free for a moment, between two parts of a long walk. A thread that waits for it gets it then, and need not be woken.</summary>
    /// <remarks>About 20 µs. When the moments were 4 µs long, waiting threads missed most of them on one of two processors.</remarks>
    public static void LetOthersIn() => Thread.SpinWait(500);

    /// <summary>Refuses a call that comes from within the equality of a key.</summary>
    public static void ThrowIfComparing()
    {
        if (IsComparing) throw new InvalidOperationException("The equality of a key called an engine. It must only compare: it runs under the engine's gate.");
    }

    /// <summary>Returns whether the drain, if any, lets the current call join or take off. Call it under the gate.</summary>
    /// <param name="epoch">The epoch of the flight that would take off.</param>
    protected bool IsAdmitted(out int epoch)
    {
        epoch = Drain.CurrentEpoch();
        return Settings.Drain?.Admits(epoch) ?? true;
    }

    private bool IsEmpty() => _oldest is null && _streaming is null;

    private Task WhenEmpty()
    {
        if (IsEmpty()) return Task.CompletedTask;
        EnsureTimer();
        if (_emptied is null or { Task.IsCompleted: true }) _emptied = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return _emptied.Task;
    }
}
