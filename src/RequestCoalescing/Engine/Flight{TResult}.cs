namespace RequestCoalescing.Engine;

/// <summary>A flight from take-off to landing: starts the work and hands its outcome to the subscribers.</summary>
internal abstract partial class Flight<TResult>(Shard shard) : Flight(shard)
{
    /// <summary>The work's task. Where the flight expired before the work returned one: the timeout, for the leader to find.</summary>
    private Task<TResult>? _outcome;

    public sealed override Type ResultType => typeof(TResult);

    /// <summary>Whether the work has ended, and only its landing is to come: that wins over a cancellation that comes now.</summary>
    public bool HasOutcome => _outcome is { IsCompleted: true };

    private Lock Gate => Shard.Gate;

    /// <summary>Runs the work; on the leader's thread until its first await that does not complete at once.</summary>
    /// <returns>The outcome, for the leader.</returns>
    public ValueTask<TResult> TakeOff<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var pending = Start(state, work);
        if (pending.IsCompletedSuccessfully) return LandAtOnce(pending.Result);

        var run = pending.AsTask();
        if (run.IsCompleted)
        {
            var outcome = Conclude(run, cancellationToken);
            return cancellationToken.IsCancellationRequested && Outcome.IsCancelled(outcome)
                ? ValueTask.FromCanceled<TResult>(cancellationToken)
                : new(outcome);
        }

        var wait = BoardLeader(run, cancellationToken);
        run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Conclude);
        return wait;
    }

    public sealed override void Expire(FlightTimeoutException timeout)
    {
        Shard.Counters.Abandoned++;
        if (State == FlightState.InFlight) Shard.Counters.TimedOut++;
        _outcome ??= Outcome.Failed<TResult>(timeout);
        Close(FlightState.Expired);
    }

    public sealed override void CompleteExpired(FlightTimeoutException timeout)
    {
        Complete(Outcome.Failed<TResult>(timeout));
        Cancel();
    }

    /// <summary>Takes the flight out of the table of current flights, where it is. Under the gate.</summary>
    protected abstract void RemoveFromTable();

    private ValueTask<TResult> Start<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        try
        {
            return Lineage.Start(this, state, work);
        }
        catch (Exception exception)
        {
            // Thrown before the first await or after it: the same to everybody.
            return new(Outcome.Failed<TResult>(exception));
        }
    }

    // The common end of work that did not have to wait; followers may have come aboard meanwhile.
    private ValueTask<TResult> LandAtOnce(TResult result)
    {
        lock (Gate)
        {
            if (State == FlightState.InFlight) Close(FlightState.Landed);
            End();
            if (State == FlightState.Expired) return new(_outcome!);
        }

        if (_first is not null) Complete(Task.FromResult(result));
        return new(result);
    }

    private void Conclude() => Conclude(_outcome!, null);

    /// <summary>Ends the flight with the work: lands it, or lets its subscribers elect a leader for another.</summary>
    /// <param name="run">The work's task, completed.</param>
    /// <param name="leader">The leader's token, if the work ended before the leader came aboard.</param>
    /// <returns>The outcome.</returns>
    private Task<TResult> Conclude(Task<TResult> run, CancellationToken? leader)
    {
        Outcome.Observed(run);
        Subscriber<TResult>? leavers = null;
        IThreadPoolWorkItem? election = null;
        lock (Gate)
        {
            if (State == FlightState.InFlight)
            {
                if (!Shard.IsClosed && Outcome.IsCancelled(run)) election = Elect(leader, out leavers);
                if (election is null) Close(FlightState.Landed);
            }

            End();
            if (State == FlightState.Expired) return leader is null ? run : _outcome!;
        }

        CompleteCancelled(leavers);
        if (election is null) Complete(run);
        else ThreadPool.UnsafeQueueUserWorkItem(election, preferLocal: false);
        return run;
    }

    // Under the gate: nobody joins, leaves or forgets any more. Those aboard stay in the ring for whoever completes them.
    private void Close(FlightState state)
    {
        if (State == FlightState.InFlight)
        {
            Shard.Counters.InFlight--;
            Shard.Counters.Subscribers -= SubscriberCount;
            SubscriberCount = 0;
            if (IsCurrent) RemoveFromTable();
        }

        State = state;
        if (state != FlightState.Cancelled) Shard.Exit(this); // cancelled work stays airborne until it ends or expires
    }

    // Under the gate, once for each flight: its work has ended, in whatever state the flight is.
    private void End()
    {
        if (HasSeat) Shard.Settings.ReturnSeat();
        if (State == FlightState.Cancelled) Shard.Exit(this);
        else if (State == FlightState.Expired) Shard.Counters.Abandoned--;
    }
}
