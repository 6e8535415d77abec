namespace RequestCoalescing.Engine;

/// <summary>A part of the engine with one gate, and what the gate guards: the list of airborne flights, oldest first, the timer for the oldest, and the counters.</summary>
internal abstract class Shard(Settings settings)
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

    private Flight? _oldest;
    private Flight? _newest;
    private ITimer? _timer;
    private bool _isTimerSet;
    private TaskCompletionSource? _emptied;
    private Flight? _abandoned;

    /// <summary>Whether the timer is set for the oldest airborne flight.</summary>
    protected bool IsTimed => _isTimerSet;

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Adds the shard's counts to the totals.</summary>
    public void AddTo(ref StatsBuilder stats)
    {
        lock (Gate)
        {
            stats.Totals.Add(Counters);
            if (_oldest is null) return;
            var now = Settings.Clock.GetTimestamp();
            for (var flight = _oldest; flight is not null; flight = flight.Newer)
            {
                if (flight.State == FlightState.InFlight) stats.Note(flight, Settings.Clock.GetElapsedTime(flight.TakenOffAt, now));
            }
        }
    }

    /// <summary>Lists flights in the air, the oldest of this shard first.</summary>
    public void List(List<(object Key, TimeSpan Age, int Subscribers, bool IsCurrent)> flights, int max)
    {
        lock (Gate)
        {
            for (var flight = _oldest; flight is not null && max > 0; flight = flight.Newer)
            {
                if (flight.State != FlightState.InFlight) continue;
                flights.Add((flight.KeyObject!, Settings.Clock.GetElapsedTime(flight.TakenOffAt), flight.SubscriberCount, flight.IsCurrent));
                max--;
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
            return _oldest is null;
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
        var airborne = new List<Flight>();
        Task emptied;
        lock (Gate)
        {
            ForgetAll();
            emptied = WhenEmpty();
            if (IsClosed) return emptied;
            IsClosed = true;
            for (var flight = _oldest; flight is not null; flight = flight.Newer) airborne.Add(flight);
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
        Counters.Subscribers++;
        flight.SubscriberCount = 1;
        flight.TakenOffAt = now;
        flight.Older = _newest;
        if (_newest is null) _oldest = flight;
        else _newest.Newer = flight;
        _newest = flight;
    }

    /// <summary>Removes a flight from the airborne flights, because it has landed or expired. Call it under the gate.</summary>
    public void RemoveAirborne(Flight flight)
    {
        if (flight.Older is null) _oldest = flight.Newer;
        else flight.Older.Newer = flight.Newer;
        if (flight.Newer is null) _newest = flight.Older;
        else flight.Newer.Older = flight.Older;
        flight.Older = flight.Newer = null;

        if (_oldest is not null) return;
        if (_isTimerSet)
        {
            _isTimerSet = false;
            _timer!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        _emptied?.TrySetResult();
        if (IsClosed) _timer?.Dispose();
    }

    /// <summary>
    /// Makes sure that the timer is set, because a caller is about to wait. Call it under the gate. The timer may be set for an older flight that has
    /// landed since. In that case it fires early, finds nothing, and is set again.
    /// </summary>
    public void EnsureTimer()
    {
        if (!_isTimerSet) SetTimer();
    }

    /// <summary>Returns whether a flight may have a successor: the engine is not disposed, and its drain, if any, admits the flight's epoch. Call it under the gate.</summary>
    public bool MayElect(Flight flight) => !IsClosed && (Settings.Drain?.Admits(flight.Epoch) ?? true);

    /// <summary>Forgets every current flight. Under the gate.</summary>
    protected abstract void ForgetAll();

    /// <summary>Refuses a call that comes from within the equality of a key.</summary>
    public static void ThrowIfComparing()
    {
        if (IsComparing) throw new InvalidOperationException("The equality of a key called an engine. It must only compare: it runs under the engine's gate.");
    }

    private void SetTimer()
    {
        // The age may exceed the limit if the limit has been shortened. It may be negative if the clock has been set back.
        var due = Settings.MaxDuration.TotalMilliseconds - Math.Max(0, Settings.Clock.GetElapsedTime(_oldest!.TakenOffAt).TotalMilliseconds);
        SetTimer(TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(due)))); // timers count in milliseconds
    }

    private void SetTimer(TimeSpan due)
    {
        if (_timer is not null)
        {
            _timer.Change(due, Timeout.InfiniteTimeSpan);
            _isTimerSet = true;
            return;
        }

        // The timer outlives the caller that happens to create it. It must not keep the caller's async locals.
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _timer = Settings.Clock.CreateTimer(static shard => ((Shard)shard!).ExpireOverdue(), this, due, Timeout.InfiniteTimeSpan);
            _isTimerSet = true;
        }
    }

    /// <summary>Adds an expired flight to the abandoned ones, because its work goes on. Call it under the gate.</summary>
    public void Abandon(Flight flight)
    {
        Counters.Abandoned++;
        flight.Newer = _abandoned;
        if (_abandoned is not null) _abandoned.Older = flight;
        _abandoned = flight;
    }

    /// <summary>The work of an abandoned flight has ended. Under the gate.</summary>
    public void EndAbandoned(Flight flight)
    {
        Counters.Abandoned--;
        if (flight.Older is null) _abandoned = flight.Newer;
        else flight.Older.Newer = flight.Newer;
        if (flight.Newer is not null) flight.Newer.Older = flight.Older;
        flight.Older = flight.Newer = null;
    }

    /// <summary>Returns whether the drain, if any, lets the current call join or take off. Call it under the gate.</summary>
    /// <param name="epoch">The epoch of the flight that would take off.</param>
    protected bool IsAdmitted(out int epoch)
    {
        epoch = Drain.CurrentEpoch();
        return Settings.Drain?.Admits(epoch) ?? true;
    }

    private Task WhenEmpty()
    {
        if (_oldest is null) return Task.CompletedTask;
        EnsureTimer();
        if (_emptied is null or { Task.IsCompleted: true }) _emptied = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return _emptied.Task;
    }

    private void ExpireOverdue()
    {
        // Some clocks fire their timers when they are asked for the time, which may happen in the middle of a step under the gate.
        if (Gate.IsHeldByCurrentThread)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static shard => shard.ExpireOverdue(), this, preferLocal: false);
            return;
        }

        var overdue = new List<(Flight Flight, FlightTimeoutException Timeout, bool HadSubscribers)>();
        lock (Gate)
        {
            _isTimerSet = false;
            var now = Settings.Clock.GetTimestamp();
            ForgetFuture(now);
            while (_oldest is { } flight && now - flight.TakenOffAt >= Settings.MaxDurationTicks)
            {
                var age = Settings.Clock.GetElapsedTime(flight.TakenOffAt, now);
                var timeout = new FlightTimeoutException(Settings.Name, Settings.LabelOf(flight.KeyObject!), Settings.MaxDuration, age, flight.SubscriberCount);
                overdue.Add((flight, timeout, flight.State == FlightState.InFlight));
                flight.Expire(timeout);
            }

            if (_oldest is not null) EnsureTimer();
        }

        foreach (var (flight, timeout, hadSubscribers) in overdue) flight.OnExpired(timeout, hadSubscribers);
    }

    // If the clock has been set back, flights seem to have taken off in the future. Counted from now, they expire a MaxDuration late at most.
    private void ForgetFuture(long now)
    {
        for (var flight = _newest; flight is not null && flight.TakenOffAt > now; flight = flight.Older) flight.TakenOffAt = now;
    }
}
