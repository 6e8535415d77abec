using System.Runtime.ExceptionServices;

namespace RequestCoalescing.Engine;

/// <content>The caller leaves its flight: its token has fired, or its wait would close a circle.</content>
internal abstract partial class PooledWait<TResult>
{
    /// <summary>Lets the caller leave before its token's callback runs. The callback is removed first, so that it cannot affect a later wait.</summary>
    public void LeaveAtOnce(CancellationToken token)
    {
        Detach();
        Leave(token);
    }

    /// <summary>Lets the caller leave, if it is a subscriber of a flight that is in flight. Called when its token has fired.</summary>
    public void Leave(CancellationToken token)
    {
        var flight = Flight!;
        if (flight.Shard.Gate.IsHeldByCurrentThread)
        {
            // A clock fires its timers when it is asked for the time. Listeners are notified when a caller leaves, which must not happen under a gate.
            _isSpent = true;
            ThreadPool.UnsafeQueueUserWorkItem(static leave => leave.Wait.Leave(leave.Token), (Wait: this, Token: token), preferLocal: false);
            return;
        }

        // A joiner that has just made its step may not have noted it yet. Once it is in the ring, it can leave without the note.
        while (!Volatile.Read(ref HasArrived) && Volatile.Read(ref Depth) != InRing && flight.AdmitArrivals()) Shard.LetOthersIn();

        bool isLast;
        lock (flight.Shard.Gate)
        {
            if (!IsWaiting) return;
            flight = Flight!; // an election may have come first
            isLast = flight.Leave(this);
        }

        if (isLast) flight.OnAllLeft(); // first, because a synchronization context may block
        SignalLeft(null);
    }

    /// <summary>The work of a flight awaits the task, and cannot go on until this wait is over. If the wait cannot end before the work does, the caller gets an error.</summary>
    protected virtual void WaitWithin(Flight work)
    {
        if (Flight is not { } flight) return;

        bool mayCloseCircle;
        WaitGraph.Wait wait;
        lock (flight.Shard.Gate)
        {
            if (!IsWaiting) return;
            WorkWait = wait = WaitGraph.Add(work, Flight!, out mayCloseCircle);
        }

        if (!mayCloseCircle) return;
        if (WaitGraph.FindCircle(wait, out var circle) is not { } isCircle) work.Shard.Settings.CountUncheckedWait();
        else if (isCircle) Refuse(FlightScope.DeadlockOf(circle));
    }

    private void Refuse(FlightDeadlockException deadlock)
    {
        Flight flight;
        bool isLast;
        lock (Flight!.Shard.Gate)
        {
            if (!IsWaiting) return;
            flight = Flight!;
            isLast = flight.Leave(this);
        }

        Detach();
        if (isLast) flight.OnAllLeft();
        SignalLeft(ExceptionDispatchInfo.Capture(deadlock));
    }

    // It may lie on a stack for long, and serves no other caller: see Arrivals.
    private void SignalLeft(object? outcome)
    {
        _isSpent = true;
        if (!IsMeasured) EndLeft(outcome);
        else ThreadPool.UnsafeQueueUserWorkItem(static left => left.Wait.EndLeft(left.Outcome), (Wait: this, Outcome: outcome), preferLocal: false); // a listener may block
    }

    private void EndLeft(object? outcome)
    {
        if (IsMeasured) EndWait();
        Release();
        Signal(outcome);
    }
}
