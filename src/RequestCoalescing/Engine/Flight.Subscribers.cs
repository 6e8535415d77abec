namespace RequestCoalescing.Engine;

/// <content>The subscribers.</content>
internal abstract partial class Flight
{
    /// <summary>
    /// The waiting subscribers. They form a ring, so that the last is <c>First.Previous</c>. If there is a <see cref="SharedWait{TResult}"/>, it is
    /// the first until the flight is closed, and joiners read it without the gate.
    /// </summary>
    public Subscriber? First;

    /// <summary>The callers that have joined without the gate and are not in the ring yet. Created when a third caller comes and has a token.</summary>
    public Arrivals? Arrivals;

    /// <summary>Puts some of the arrivals into the ring, or all of them. Call it outside the gate.</summary>
    /// <returns>Whether there may be more.</returns>
    public bool AdmitArrivals()
    {
        lock (Shard.Gate) return State == FlightState.InFlight && AdmitArrivals(Shard.MaxAtOnce);
    }

    /// <summary>Lets a subscriber leave.</summary>
    /// <returns>Whether it was the last. If so, the caller must call <see cref="OnAllLeft"/>, outside the gate.</returns>
    public bool Leave(Subscriber subscriber)
    {
        Remove(subscriber);
        if (HasSubscribers()) return false;
        Arrivals?.Close(); // later callers take the gate, so that nobody joins between the two steps
        if (HasSubscribers()) return false;
        Close(FlightState.Cancelled, FlightOutcome.Cancelled);
        return true;
    }

    /// <summary>Adds a subscriber to the ring. It is counted already.</summary>
    /// <param name="subscriber">The subscriber.</param>
    /// <param name="next">The member of the ring that it goes in front of. Null to add it at the end.</param>
    protected void Add(Subscriber subscriber, Subscriber? next = null)
    {
        subscriber.Flight = this;
        subscriber.Depth = Subscriber.InRing;
        if (First is null)
        {
            First = subscriber.Next = subscriber.Previous = subscriber;
        }
        else
        {
            if (next == First) First = subscriber;
            next ??= First;
            subscriber.Next = next;
            subscriber.Previous = next.Previous;
            next.Previous = subscriber.Previous!.Next = subscriber;
        }
    }

    /// <summary>Completes the subscribers of a closed flight. Outside the gate.</summary>
    /// <param name="outcome">See <see cref="Subscriber.Complete"/>.</param>
    protected void Complete(object outcome)
    {
        while (Arrivals?.TakeChain() is { } chain) new Landing(chain, outcome).Queue();
        Arrivals = null;
        if (TakeAll() is { } first) Landing.Complete(first, outcome); // a synchronization context may block this thread
    }

    /// <summary>Takes all subscribers from a closed flight. Call it outside the gate: only the closing thread touches the ring of a closed flight.</summary>
    /// <returns>The first of a chain.</returns>
    private Subscriber? TakeAll()
    {
        if (First is not { } first) return null;
        First = null;
        first.Previous!.Next = null;
        return first;
    }

    /// <summary>Takes at most so many arrivals, and puts those that have not left into the ring.</summary>
    /// <returns>Whether there may be more.</returns>
    protected bool AdmitArrivals(int max)
    {
        var (taken, admitted) = (0, 0);
        Subscriber? newer = null; // the last to arrive is the first to be taken
        for (; taken < max && Arrivals?.Take() is { } subscriber; taken++)
        {
            if (subscriber.HasLeft)
            {
                subscriber.Next = null; // a caller that does not await its task keeps no others alive
                continue;
            }

            Add(subscriber, newer);
            newer = subscriber;
            admitted++;
        }

        if (taken == 0) return false;
        Members += admitted;
        Shard.Counters.Members += admitted;
        Shard.Counters.Coalesced += taken;
        Shard.OnMoved();
        return taken == max;
    }

    private bool HasSubscribers() => Members > 0 || First is not null || Arrivals?.Any() == true;

    private void Remove(Subscriber subscriber)
    {
        var isInRing = subscriber.Depth == Subscriber.InRing;
        if (isInRing) TakeFromRing(subscriber);
        if (subscriber.WorkWait is { } wait) WaitGraph.Remove(wait); // in the same step, so that no other thread sees a wait that is over
        subscriber.WorkWait = null;
        subscriber.HasLeft = true;
        if (Arrivals?.OnLeft(isHere: !isInRing) == true) AdmitArrivals(Shard.MaxAtOnce);
    }

    private void TakeFromRing(Subscriber subscriber)
    {
        if (subscriber.Next == subscriber)
        {
            First = null;
        }
        else
        {
            subscriber.Previous!.Next = subscriber.Next;
            subscriber.Next!.Previous = subscriber.Previous;
            if (First == subscriber) First = subscriber.Next;
        }

        subscriber.Next = subscriber.Previous = null;
        subscriber.Depth = 0;
        Members--;
        Shard.Counters.Members--;
    }
}
