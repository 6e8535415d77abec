using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>A flight from take-off to landing: starts the work and hands its outcome to the subscribers.</summary>
internal sealed class Flight<TKey, TResult>(Shard<TKey> shard, TKey key, uint hash) : Flight<TKey>(shard, key, hash)
    where TKey : notnull
{
    /// <summary>The work's task. Where the flight expired before the work returned one: the timeout, for the leader to find.</summary>
    private Task<TResult>? _outcome;

    public override Type ResultType => typeof(TResult);

    public override bool HasOutcome => _outcome is { IsCompleted: true };

    private Lock Gate => Shard.Gate;

    /// <summary>Takes a follower aboard. Under the gate, while in flight.</summary>
    /// <returns>The follower's wait.</returns>
    public ValueTask<TResult> Join<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        Shard.EnsureTimer();
        SubscriberCount++;
        Shard.Counters.Subscribers++;
        Shard.Counters.Coalesced++;

        // Those who cannot leave can all wait for one task. One that work may wait for is watched, and so a wait of its own.
        if (!cancellationToken.CanBeCanceled && Lineage.Current is null)
        {
            return First is { IsShared: true } shared ? Unsafe.As<SharedWait<TResult>>(shared).Wait : Share(state, work);
        }

        var follower = Follower<TKey, TState, TResult>.Rent(state, work);
        Board(follower);
        return follower.Begin(cancellationToken);
    }

    /// <summary>Runs the work; on the leader's thread until its first await that does not complete at once.</summary>
    /// <returns>The outcome, for the leader.</returns>
    public ValueTask<TResult> TakeOff<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // Synchronous work that calls for the next flight nests on one stack.
        if (Shard.Settings.StartOnThreadPool || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            return FlyOn(StartOnThreadPool(state, work), cancellationToken);
        }

        var pending = Start(state, work);
        if (pending.IsCompletedSuccessfully) return LandAtOnce(pending.Result);

        var run = pending.AsTask();
        if (!run.IsCompleted) return FlyOn(run, cancellationToken);

        var outcome = Conclude(run, cancellationToken);
        return cancellationToken.IsCancellationRequested && Outcome.IsCancelled(outcome)
            ? ValueTask.FromCanceled<TResult>(cancellationToken)
            : new(outcome);
    }

    /// <summary>Runs the work of an elected leader, who is aboard already.</summary>
    public void TakeOffElected<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        bool isOver; // all have left, or it took longer to get here than a flight may last
        lock (Gate)
        {
            isOver = State != FlightState.InFlight;
            if (isOver) End(FlightOutcome.Cancelled);
        }

        if (isOver)
        {
            ReportEnd(FlightOutcome.Cancelled, aboard: null, error: null);
            return;
        }

        var run = Start(state, work).AsTask();
        lock (Gate) _outcome = run;
        if (run.IsCompleted) Conclude();
        else run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Conclude);
    }

    public override void Expire(FlightTimeoutException timeout)
    {
        _outcome ??= Outcome.Failed<TResult>(timeout);
        base.Expire(timeout);
    }

    protected override void CompleteFailed(Exception exception) => Complete(Outcome.Failed<TResult>(exception));

    protected override Flight CreateSuccessor()
    {
        var successor = new Flight<TKey, TResult>(Table, Key, Hash);
        if (IsCurrent) Table.Replace(this, successor);
        return successor;
    }

    private ValueTask<TResult> Share<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var shared = new SharedWait<TResult>(new Candidate<TKey, TState, TResult>(state, work));
        Board(shared);
        First = shared; // where the next one looks for it
        return shared.Wait;
    }

    private ValueTask<TResult> Start<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        try
        {
            var pending = Lineage.Start(this, state, work);
            return pending.IsCompletedSuccessfully ? new(pending.Result) : new(pending.AsTask());
        }
        catch (Exception exception)
        {
            // Thrown before the first await or after it: the same to everybody.
            return new(Outcome.Failed<TResult>(exception));
        }
    }

    private Task<TResult> StartOnThreadPool<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work) =>
        Task.Run(() => IsCancellationRequested ? Task.FromCanceled<TResult>(Token) : Start(state, work).AsTask()); // all may have left by then

    private ValueTask<TResult> FlyOn(Task<TResult> run, CancellationToken cancellationToken)
    {
        try
        {
            return BoardLeader(run, cancellationToken);
        }
        finally
        {
            run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Conclude);
        }
    }

    // The leader comes aboard when its work turns out to take time; it has been counted since the take-off.
    private ValueTask<TResult> BoardLeader(Task<TResult> run, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            var expired = _outcome;
            _outcome = run;
            if (State == FlightState.Expired) return new(expired!);

            Shard.EnsureTimer();
            var leader = Leader<TResult>.Rent();
            Board(leader);
            return leader.Begin(cancellationToken);
        }
    }

    // The common end of work that did not have to wait; followers may have come aboard meanwhile.
    private ValueTask<TResult> LandAtOnce(TResult result)
    {
        int? aboard;
        lock (Gate) aboard = End(FlightOutcome.Succeeded);

        ReportEnd(FlightOutcome.Succeeded, aboard, error: null);
        if (State == FlightState.Expired) return new(_outcome!);
        if (First is not null) Complete(Task.FromResult(result));
        return new(result);
    }

    private void Conclude() => Conclude(_outcome!, null);

    /// <summary>Ends the flight with the work: lands it, or lets its subscribers elect a leader for another.</summary>
    /// <param name="run">The work's task, completed.</param>
    /// <param name="leader">The leader's token, if the work ended before the leader came aboard.</param>
    /// <returns>The outcome.</returns>
    private Task<TResult> Conclude(Task<TResult> run, CancellationToken? leader)
    {
        run = Outcome.Observed(run);
        Subscriber? leavers = null;
        IThreadPoolWorkItem? election = null;
        var outcome = OutcomeOf(run);
        int? aboard;
        lock (Gate)
        {
            aboard = State == FlightState.InFlight ? SubscriberCount : null;
            if (aboard is not null && !Shard.IsClosed && Outcome.IsCancelled(run)) election = Elect(leader, ref outcome, out leavers);
            aboard = End(outcome) ?? aboard; // those who have left by now are out of it
            if (State != FlightState.Expired) _outcome = null; // whoever still holds the flight, in a captured context say, does not hold its result
        }

        ReportEnd(outcome, aboard, outcome == FlightOutcome.Failed ? Outcome.ErrorOf(run) : null);
        if (State == FlightState.Expired) return leader is null ? run : _outcome!;

        for (var next = leavers; leavers is not null; leavers = next)
        {
            next = leavers.Next;
            leavers.CompleteCancelled();
        }

        if (election is null) Complete(run);
        else ThreadPool.UnsafeQueueUserWorkItem(election, preferLocal: false);
        return run;
    }

    private FlightOutcome OutcomeOf(Task<TResult> run) =>
        run.IsCompletedSuccessfully ? FlightOutcome.Succeeded
        : IsCancellationRequested && Outcome.IsCancelled(run) ? FlightOutcome.Cancelled
        : FlightOutcome.Failed;

    private void Complete(Task<TResult> outcome)
    {
        if (TakeAll() is { } first) Landing<TResult>.Complete(first, outcome);
    }
}
