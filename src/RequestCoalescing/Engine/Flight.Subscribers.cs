namespace RequestCoalescing.Engine;

/// <content>The subscribers.</content>
internal abstract partial class Flight
{
    /// <summary>
    /// The waiting subscribers. They form a ring, so that the last is <c>First.Previous</c>. If there is a <see cref="SharedWait{TResult}"/>, it is
    /// the first until the flight is closed, and joiners read it without the gate.
    /// </summary>
    public Subscriber? First;

    /// <summary>Lets a subscriber leave.</summary>
    /// <returns>Whether it was the last. If so, the caller must call <see cref="OnAllLeft"/>, outside the gate.</returns>
    public bool Leave(Subscriber subscriber)
    {
        Remove(subscriber);
        if (Members > 0 || First is not null) return false;
        Close(FlightState.Cancelled, FlightOutcome.Cancelled);
        return true;
    }

    /// <summary>Adds a subscriber to the ring. It is counted already.</summary>
    protected void Add(Subscriber subscriber)
    {
        subscriber.Flight = this;
        if (First is null)
        {
            First = subscriber.Next = subscriber.Previous = subscriber;
        }
        else
        {
            subscriber.Next = First;
            subscriber.Previous = First.Previous;
            First.Previous = subscriber.Previous!.Next = subscriber;
        }
    }

    /// <summary>Takes all subscribers from a closed flight. Call it outside the gate: only the closing thread touches the ring of a closed flight.</summary>
    /// <returns>The first of a chain.</returns>
    protected Subscriber? TakeAll()
    {
        if (First is not { } first) return null;
        First = null;
        first.Previous!.Next = null;
        return first;
    }

    private void Remove(Subscriber subscriber)
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

        if (subscriber.WorkWait is { } wait) WaitGraph.Remove(wait); // in the same step, so that no other thread sees a wait that is over
        subscriber.WorkWait = null;
        subscriber.Next = subscriber.Previous = null;
        Members--;
        Shard.Counters.Members--;
    }
}
