using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace RequestCoalescing.Engine;

/// <summary>A flight from take-off to landing: starts the work and hands its outcome to the subscribers.</summary>
internal sealed partial class Flight<TKey, TResult>(Shard<TKey> shard, TKey key, uint hash) : Flight<TKey>(shard, key, hash)
    where TKey : notnull
{
    /// <summary>The work's task. If the flight expired before the work returned a task, this one has failed with the timeout, for the leader.</summary>
    private Task<TResult>? _runOrTimeout;

    public override Type ResultType => typeof(TResult);

    public override bool HasOutcome => _runOrTimeout is { IsCompleted: true };

    private Lock Gate => Shard.Gate;

    /// <summary>Runs the work, on the leader's thread until its first await that does not complete at once.</summary>
    /// <returns>The outcome, for the leader.</returns>
    public ValueTask<TResult> TakeOff<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // Synchronous work that starts another flight, whose work starts the next, nests on one stack.
        if (Shard.Settings.StartOnThreadPool || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            return FlyOn(StartOnThreadPool(state, work), cancellationToken);
        }

        var pending = Start(state, work);
        if (pending.IsCompletedSuccessfully) return LandAtOnce(pending.Result);

        var run = pending.AsTask();
        if (!run.IsCompleted) return FlyOn(run, cancellationToken);

        var outcome = OnWorkEnded(run, cancellationToken);
        return cancellationToken.IsCancellationRequested && Outcome.IsCancelled(outcome)
            ? ValueTask.FromCanceled<TResult>(cancellationToken)
            : new(outcome);
    }

    /// <summary>Runs the work of an elected leader, which is a subscriber in the ring already.</summary>
    public void TakeOffElected<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        bool isOver; // all have left, or it took longer to get here than a flight may last
        lock (Gate)
        {
            isOver = State != FlightState.InFlight;
            if (isOver) EndWork(FlightOutcome.Cancelled, out _);
        }

        if (isOver)
        {
            ReportEnd(hasLanded: false, FlightOutcome.Cancelled, subscribers: 0, error: null);
            return;
        }

        var run = Start(state, work).AsTask();
        lock (Gate) _runOrTimeout = run;
        if (run.IsCompleted) OnWorkEnded();
        else run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(OnWorkEnded);
    }

    public override void Expire(FlightTimeoutException timeout)
    {
        _runOrTimeout ??= Outcome.Failed<TResult>(timeout);
        base.Expire(timeout);
    }

    // If callers share a task, the error becomes a failed task before any caller gets it. Otherwise, these callers could see the stack frames of callers that got
    // the error first. If no callers share a task, the error alone makes less garbage.
    protected override void CompleteFailed(Exception exception) =>
        Complete(First is { IsShared: true } ? Outcome.Failed<TResult>(exception) : ExceptionDispatchInfo.Capture(exception));

    protected override Flight CreateSuccessor()
    {
        var successor = new Flight<TKey, TResult>(Table, Key, Hash);
        if (IsCurrent) Table.Replace(this, successor);
        return successor;
    }

    private ValueTask<TResult> Start<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        try
        {
            var pending = FlightScope.Start(this, state, work);
            return pending.IsCompletedSuccessfully ? new(pending.Result) : new(pending.AsTask());
        }
        catch (Exception exception)
        {
            // Subscribers see no difference between work that throws before its first await and work that throws after it.
            return new(Outcome.Failed<TResult>(exception));
        }
    }

    private Task<TResult> StartOnThreadPool<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work) =>
        Task.Run(() => IsCancellationRequested ? Task.FromCanceled<TResult>(Token) : Start(state, work).AsTask()); // all callers may have left by then

    private ValueTask<TResult> FlyOn(Task<TResult> run, CancellationToken cancellationToken)
    {
        try
        {
            return AddLeader(run, cancellationToken);
        }
        finally
        {
            run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(OnWorkEnded);
        }
    }

    // The leader becomes a subscriber in the ring when its work does not complete at once. It has been counted since the take-off.
    private ValueTask<TResult> AddLeader(Task<TResult> run, CancellationToken cancellationToken)
    {
        var leader = Leader<TResult>.Rent();
        leader.Begin(this, cancellationToken);
        Task<TResult>? timeout;
        var isInRing = false;
        try
        {
            lock (Gate)
            {
                timeout = _runOrTimeout;
                _runOrTimeout = run;
                if (State != FlightState.Expired)
                {
                    Shard.EnsureTimer();
                    Add(leader);
                    isInRing = true;
                }
            }
        }
        finally
        {
            if (!isInRing) leader.Withdraw(); // also if the clock throws
        }

        if (!isInRing) return new(timeout!);
        if (cancellationToken.IsCancellationRequested) leader.LeaveAtOnce(cancellationToken); // it may have fired before the leader was in the ring
        return leader.Wait;
    }

    // The usual end of work that completes at once. Followers may have joined meanwhile.
    private ValueTask<TResult> LandAtOnce(TResult result)
    {
        bool hasLanded;
        int subscribers;
        lock (Gate) hasLanded = EndWork(FlightOutcome.Succeeded, out subscribers);

        ReportEnd(hasLanded, FlightOutcome.Succeeded, subscribers, error: null);
        if (State == FlightState.Expired) return new(_runOrTimeout!);
        if (First is not null || Arrivals is not null) Complete(Task.FromResult(result));
        return new(result);
    }

    private void OnWorkEnded()
    {
        // Some clocks complete delays when they are asked for the time, which may happen in the middle of a step under the gate.
        if (Gate.IsHeldByCurrentThread) ThreadPool.UnsafeQueueUserWorkItem(static flight => flight.OnWorkEnded(), this, preferLocal: false);
        else OnWorkEnded(_runOrTimeout!, absentLeader: null);
    }

    /// <summary>The work has ended: lands the flight, or lets its subscribers elect a leader for another one.</summary>
    /// <param name="run">The work's task, completed.</param>
    /// <param name="absentLeader">The leader's token, if the work ended before the leader became a subscriber in the ring.</param>
    /// <returns>The outcome.</returns>
    private Task<TResult> OnWorkEnded(Task<TResult> run, CancellationToken? absentLeader)
    {
        run = Outcome.Observed(run);
        Subscriber? leavers = null;
        IThreadPoolWorkItem? election = null;
        var outcome = OutcomeOf(run);
        int subscribers;
        bool hasLanded;
        lock (Gate)
        {
            var before = 0;
            if (State == FlightState.InFlight && Outcome.IsCancelled(run) && Shard.MayElect(this))
            {
                Arrivals?.Close(); // callers that come now wait for the gate
                before = SubscriberCount;
                election = Elect(absentLeader, ref outcome, out leavers);
            }

            hasLanded = EndWork(outcome, out subscribers) || election is not null; // an election has closed the flight
            if (election is not null) subscribers = before;
            if (State != FlightState.Expired) _runOrTimeout = null; // an execution context that has captured the flight must not keep its result alive
        }

        ReportEnd(hasLanded, outcome, subscribers, outcome == FlightOutcome.Failed ? Outcome.ErrorOf(run) : null);
        if (State == FlightState.Expired) return absentLeader is null ? run : _runOrTimeout!;

        if (election is null) Complete(run);
        else ThreadPool.UnsafeQueueUserWorkItem(election, preferLocal: false);
        for (var next = leavers; leavers is not null; leavers = next)
        {
            next = leavers.Next;
            leavers.CompleteCancelled(); // last, because a synchronization context may block
        }

        return run;
    }

    private FlightOutcome OutcomeOf(Task<TResult> run) =>
        run.IsCompletedSuccessfully ? FlightOutcome.Succeeded
        : IsCancellationRequested && Outcome.IsCancelled(run) ? FlightOutcome.Cancelled
        : FlightOutcome.Failed;
}
