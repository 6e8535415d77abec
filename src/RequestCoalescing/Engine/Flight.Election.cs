namespace RequestCoalescing.Engine;

/// <content>
/// Elections. The work had captured the token of a leader that left, and ended cancelled. The remaining subscribers did not cancel. The first of
/// them leads a new flight for all of them.
/// </content>
internal abstract partial class Flight
{
    private const int MaxElections = 3;

    /// <summary>Creates the flight that takes over the subscribers. If this flight is current, the new one replaces it in the table.</summary>
    protected abstract Flight CreateSuccessor();

    /// <summary>The work of this flight has ended cancelled, while it was in flight. Its arrivals are closed.</summary>
    /// <param name="absentLeader">The leader's token, if the work ended before the leader became a subscriber in the ring.</param>
    /// <param name="outcome">How the flight ends. Set if an election ends it, or if all subscribers have cancelled.</param>
    /// <param name="leavers">A chain of the subscribers whose own tokens have fired. They have left.</param>
    /// <returns>The work item that starts the new flight. Null if there is none; then the flight ends cancelled.</returns>
    protected IThreadPoolWorkItem? Elect(CancellationToken? absentLeader, ref FlightOutcome outcome, out Subscriber? leavers)
    {
        var now = Shard.Settings.Clock.GetTimestamp();
        AdmitArrivals(int.MaxValue);
        Arrivals = null;
        var leaderHasCancelled = absentLeader?.IsCancellationRequested ?? HasLeaderCancelled();
        leavers = TakeCancelled();
        if (leaderHasCancelled && First is null) outcome = FlightOutcome.Cancelled;
        if (!leaderHasCancelled || First is not { } elected || Elections == MaxElections) return null;

        outcome = FlightOutcome.Reelected;

        var successor = CreateSuccessor();
        successor.Elections = Elections + 1;
        successor.IsLarge = IsLarge;
        (successor.HasSlot, HasSlot) = (HasSlot, false);
        Shard.AddAirborne(successor, Epoch, now);
        Shard.OnMoved();

        // All subscribers in the ring move over. A leader that is absent does not.
        (successor.First, First) = (First, null);
        var moved = Members - (absentLeader is null ? 0 : 1);
        Members -= moved;
        successor.Members = moved;
        Shard.Counters.Members--; // counted as the successor's leader, which is one of them or among the sharers
        for (var subscriber = elected; ;)
        {
            subscriber.Flight = successor;
            subscriber = subscriber.Next!;
            if (subscriber == elected) break;
        }

        WaitGraph.Move(this, successor);
        MoveStream(successor);
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

    // A subscriber that has cancelled gets no cancelled outcome: it leaves, with its own token.
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
