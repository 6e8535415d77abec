namespace RequestCoalescing.Engine;

/// <content>The timer for the oldest airborne flight, its expiry, and the runs of abandoned work.</content>
internal abstract partial class Shard
{
    /// <summary>
    /// Makes sure that the timer is set, because a caller is about to wait. Call it under the gate. The timer may be set for an older flight that has
    /// landed since. In that case it fires early, finds nothing, and is set again.
    /// </summary>
    public void EnsureTimer()
    {
        if (!_isTimerSet && _oldest is not null) SetTimer();
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

        _timer = Settings.Clock.CreateDetachedTimer(static shard => ((Shard)shard!).ExpireOverdue(), this, due, Timeout.InfiniteTimeSpan);
        _isTimerSet = true;
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
        do
        {
            overdue.Clear();
            lock (Gate)
            {
                _isTimerSet = false;
                var now = Settings.Clock.GetTimestamp();
                ForgetFuture(now);
                while (overdue.Count < MaxAtOnce && _oldest is { } flight && now - flight.TakenOffAt >= Settings.MaxDurationTicks)
                {
                    var hadSubscribers = flight.State == FlightState.InFlight;
                    var age = Settings.Clock.GetElapsedTime(flight.TakenOffAt, now);
                    var subscribers = flight.CloseToJoiners();
                    var timeout = new FlightTimeoutException(Settings.Name, Settings.LabelOf(flight.KeyObject!), Settings.MaxDuration, age, subscribers);
                    overdue.Add((flight, timeout, hadSubscribers));
                    flight.Expire(timeout);
                }

                if (_oldest is not null) EnsureTimer();
            }

            foreach (var (flight, timeout, hadSubscribers) in overdue) flight.OnExpired(timeout, hadSubscribers);
            LetOthersIn();
        }
        while (overdue.Count == MaxAtOnce);
    }

    // If the clock has been set back, flights seem to have taken off in the future. Counted from now, they expire a MaxDuration late at most.
    private void ForgetFuture(long now)
    {
        for (var flight = _newest; flight is not null && flight.TakenOffAt > now; flight = flight.Older) flight.TakenOffAt = now;
    }
}
