namespace RequestCoalescing.Engine;

/// <content>
/// When the work ended cancelled because it had captured the token of a leader that is gone, those who still wait did not ask for
/// that: the first of them leads a new flight, for all.
/// </content>
internal abstract partial class Flight<TResult>
{
    private const int MaxElections = 3;

    /// <summary>Makes the flight that takes over the subscribers, in this one's place if this is current. Under the gate.</summary>
    protected abstract Flight<TResult> CreateSuccessor();

    /// <summary>Runs the work of an elected leader, who is aboard already.</summary>
    public void TakeOffElected<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        lock (Gate)
        {
            if (State != FlightState.InFlight) // all have left, or it took longer than a flight may to get here
            {
                End();
                return;
            }
        }

        var run = Start(state, work).AsTask();
        lock (Gate) _outcome = run;
        if (run.IsCompleted) Conclude();
        else run.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Conclude);
    }

    // Under the gate, while in flight and the work has ended cancelled.
    private IThreadPoolWorkItem? Elect(CancellationToken? leader, out Subscriber<TResult>? leavers)
    {
        var leaderHasCancelled = leader?.IsCancellationRequested ?? HasLeaderCancelled();
        leavers = TakeCancelled();
        if (!leaderHasCancelled || _first is null || Elections == MaxElections) return null;

        var successor = CreateSuccessor();
        successor.Elections = (byte)(Elections + 1);
        (successor.HasSeat, HasSeat) = (HasSeat, false);
        (successor._first, _first) = (_first, null);
        successor.SubscriberCount = SubscriberCount - (leader is null ? 0 : 1); // a leader that is not aboard does not come along
        SubscriberCount -= successor.SubscriberCount;
        var elected = successor._first;
        for (var subscriber = elected; ;)
        {
            subscriber.Flight = successor;
            subscriber = subscriber.Next!;
            if (subscriber == elected) break;
        }

        Shard.Counters.Flights++;
        Shard.Counters.InFlight++;
        Shard.Enter(successor);
        Shard.SetTimer();
        Close(FlightState.Landed);
        return elected.CreateRun(successor);
    }

    private bool HasLeaderCancelled()
    {
        var subscriber = _first;
        do
        {
            if (subscriber is null) return true;
            if (subscriber.IsLeader) return subscriber.HasCancelled;
            subscriber = subscriber.Next;
        }
        while (subscriber != _first);

        return true; // it has left
    }

    // A cancelled end is no outcome for a subscriber that has cancelled itself: it leaves, with its own token.
    private Subscriber<TResult>? TakeCancelled()
    {
        Subscriber<TResult>? taken = null;
        var last = _first?.Previous;
        for (var subscriber = _first; subscriber is not null;)
        {
            var next = subscriber == last ? null : subscriber.Next;
            if (subscriber.HasCancelled)
            {
                Remove(subscriber);
                subscriber.Next = taken;
                taken = subscriber;
            }

            subscriber = next;
        }

        return taken;
    }

    private static void CompleteCancelled(Subscriber<TResult>? first)
    {
        while (first is not null)
        {
            var next = first.Next;
            first.CompleteCancelled();
            first = next;
        }
    }
}
