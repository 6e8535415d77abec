namespace RequestCoalescing.Engine;

/// <content>
/// When the work ended cancelled because it had captured the token of a leader that is gone, those who still wait did not ask for
/// that: the first of them leads a new flight, for all.
/// </content>
internal abstract partial class Flight
{
    private const int MaxElections = 3;

    /// <summary>Makes the flight that takes over the subscribers, in this one's place if this is current.</summary>
    protected abstract Flight CreateSuccessor();

    /// <summary>The work of this flight has ended cancelled, while it was in flight.</summary>
    /// <param name="leader">The leader's token, if the work ended before the leader came aboard.</param>
    /// <param name="outcome">How the flight ends: set if that is by an election, or if all have cancelled.</param>
    /// <param name="leavers">A chain of those who are out of it, for their own tokens have fired too.</param>
    /// <returns>What starts the new flight; null if there is none, and the cancelled end is the outcome.</returns>
    protected IThreadPoolWorkItem? Elect(CancellationToken? leader, ref FlightOutcome outcome, out Subscriber? leavers)
    {
        var now = Shard.Settings.Clock.GetTimestamp();
        var leaderHasCancelled = leader?.IsCancellationRequested ?? HasLeaderCancelled();
        leavers = TakeCancelled();
        if (leaderHasCancelled && First is null) outcome = FlightOutcome.Cancelled;
        if (!leaderHasCancelled || First is not { } elected || Elections == MaxElections) return null;

        outcome = FlightOutcome.Reelected;

        var successor = CreateSuccessor();
        successor.Elections = Elections + 1;
        successor.HasWarned = HasWarned;
        (successor.HasSeat, HasSeat) = (HasSeat, false);
        Shard.Enter(successor, Epoch, now);

        // All aboard move over; a leader that is not aboard does not.
        (successor.First, First) = (First, null);
        var moved = SubscriberCount - (leader is null ? 0 : 1);
        SubscriberCount -= moved;
        successor.SubscriberCount = moved;
        Shard.Counters.Subscribers--; // counted as the successor's leader, who is one of them
        for (var subscriber = elected; ;)
        {
            subscriber.Flight = successor;
            subscriber = subscriber.Next!;
            if (subscriber == elected) break;
        }

        WaitGraph.Move(this, successor);
        Shard.EnsureTimer();
        Close(FlightState.Landed, FlightOutcome.Reelected);
        return elected.Lead(successor);
    }

    private bool HasLeaderCancelled()
    {
        var subscriber = First;
        do
        {
            if (subscriber is null) return true;
            if (subscriber.IsLeader) return subscriber.HasCancelled;
            subscriber = subscriber.Next;
        }
        while (subscriber != First);

        return true; // it has left
    }

    // A cancelled end is no outcome for a subscriber that has cancelled itself: it leaves, with its own token.
    private Subscriber? TakeCancelled()
    {
        Subscriber? taken = null;
        var last = First?.Previous;
        for (var subscriber = First; subscriber is not null;)
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
}
