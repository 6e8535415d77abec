namespace RequestCoalescing.Engine;

/// <summary>
/// A part of the engine that shares one gate: which flights are airborne, oldest first, when the oldest expires, and the counts.
/// </summary>
internal abstract class Shard(Settings settings)
{
    /// <summary>Guards the shard, its flights and their subscribers. Held for a few dozen instructions; no work, callback or continuation runs under it.</summary>
    public readonly Lock Gate = new();

    public readonly Settings Settings = settings;

    public Counters Counters;

    private Flight? _oldest;
    private Flight? _newest;
    private ITimer? _timer;
    private bool _isTimerSet;
    private TaskCompletionSource? _drained;
    private bool _isDrained;
    private Flight? _abandoned;

    /// <summary>Whether the timer is set for the oldest of the airborne.</summary>
    protected bool IsTimed => _isTimerSet;

    /// <summary>Whether the engine was disposed: nothing takes off any more.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Whether nobody is admitted but work that is in the air.</summary>
    protected bool IsDraining { get; private set; }

    /// <summary>Adds the shard's counts to the totals.</summary>
    public void AddTo(ref Census census)
    {
        lock (Gate)
        {
            census.Totals.Add(Counters);
            if (_oldest is null) return;
            var now = Settings.Clock.GetTimestamp();
            for (var flight = _oldest; flight is not null; flight = flight.Newer)
            {
                if (flight.State == FlightState.InFlight) census.Note(flight, Settings.Clock.GetElapsedTime(flight.TakenOffAt, now));
            }
        }
    }

    /// <summary>Lists flights in the air, the oldest of this shard first.</summary>
    public void List(List<(Flight Flight, TimeSpan Age, int Subscribers)> flights, int max)
    {
        lock (Gate)
        {
            for (var flight = _oldest; flight is not null && max > 0; flight = flight.Newer)
            {
                if (flight.State != FlightState.InFlight) continue;
                flights.Add((flight, Settings.Clock.GetElapsedTime(flight.TakenOffAt), flight.SubscriberCount));
                max--;
            }
        }
    }

    /// <summary>Takes account of changed settings.</summary>
    /// <param name="takesSeats">Whether seats are counted from now on, and were not before.</param>
    public void OnSettingsChanged(bool takesSeats)
    {
        lock (Gate)
        {
            if (_isTimerSet) SetTimer();
            if (!takesSeats) return;
            TakeSeats(_oldest);
            TakeSeats(_abandoned);
        }

        void TakeSeats(Flight? flight)
        {
            for (; flight is not null; flight = flight.Newer)
            {
                if (flight.HasSeat || flight.IsAlone) continue;
                flight.HasSeat = true;
                Settings.TakeSeat();
            }
        }
    }

    /// <summary>Refuses callers from now on, but for work in the air.</summary>
    /// <param name="atAll">Refuses that too.</param>
    /// <returns>Completes when nothing is airborne.</returns>
    public Task StopAdmitting(bool atAll)
    {
        lock (Gate)
        {
            if (!IsDraining) ForgetAll();
            IsDraining = true;
            _isDrained = atAll;
            return WhenEmpty();
        }
    }

    /// <summary>Refuses take-offs from now on and cancels what is airborne.</summary>
    /// <returns>Completes when nothing is airborne.</returns>
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

        foreach (var flight in airborne) flight.TellWork();
        return emptied;
    }

    /// <summary>Enters a flight that takes off now, with its leader as yet the only subscriber. Under the gate.</summary>
    public void Enter(Flight flight, long now)
    {
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

    /// <summary>Removes a flight that has landed or expired. Under the gate.</summary>
    public void Exit(Flight flight)
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

        _drained?.TrySetResult();
        if (IsClosed) _timer?.Dispose();
    }

    /// <summary>
    /// Makes sure that the timer is set, for somebody waits. Under the gate. It may be set for an older flight that has landed
    /// since: then it comes early, finds nothing and sets itself anew.
    /// </summary>
    public void EnsureTimer()
    {
        if (!_isTimerSet) SetTimer();
    }

    /// <summary>Forgets every current flight. Under the gate.</summary>
    protected abstract void ForgetAll();

    private void SetTimer()
    {
        var due = Settings.MaxDuration - Settings.Clock.GetElapsedTime(_oldest!.TakenOffAt); // negative if it has been shortened
        due = TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(due.TotalMilliseconds))); // timers count in milliseconds
        if (_timer is not null)
        {
            _timer.Change(due, Timeout.InfiniteTimeSpan);
            _isTimerSet = true;
            return;
        }

        // The timer outlives the caller that happens to make it; the caller's async locals must not live on in it.
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _timer = Settings.Clock.CreateTimer(static shard => ((Shard)shard!).ExpireOverdue(), this, due, Timeout.InfiniteTimeSpan);
            _isTimerSet = true;
        }
    }

    /// <summary>Adds a flight that has expired, and exited, to those whose work goes on. Under the gate.</summary>
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

    /// <summary>What is in the air may still need other flights to be able to land.</summary>
    protected bool AdmitsWhileDraining() =>
        !_isDrained && Lineage.Current is { State: FlightState.InFlight or FlightState.Cancelled };

    private Task WhenEmpty()
    {
        if (_oldest is null) return Task.CompletedTask;
        EnsureTimer();
        if (_drained is null or { Task.IsCompleted: true }) _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return _drained.Task;
    }

    private void ExpireOverdue()
    {
        // A clock that fires its timers from within a question about the time asks for trouble in the middle of a step.
        if (Gate.IsHeldByCurrentThread)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static shard => shard.ExpireOverdue(), this, preferLocal: false);
            return;
        }

        var overdue = new List<(Flight Flight, FlightTimeoutException Timeout, int? Aboard)>();
        lock (Gate)
        {
            _isTimerSet = false;
            var now = Settings.Clock.GetTimestamp();
            while (_oldest is { } flight && now - flight.TakenOffAt >= Settings.MaxDurationTicks)
            {
                var timeout = new FlightTimeoutException(Settings.MaxDuration);
                overdue.Add((flight, timeout, flight.State == FlightState.InFlight ? flight.SubscriberCount : null));
                flight.Expire(timeout);
            }

            if (_oldest is not null) EnsureTimer();
        }

        foreach (var (flight, timeout, aboard) in overdue) flight.CompleteExpired(timeout, aboard);
    }
}
