namespace RequestCoalescing.Engine;

/// <content>Who is aboard.</content>
internal abstract partial class Flight
{
    /// <summary>Those who wait: a ring, so that the last is <c>First.Previous</c>.</summary>
    protected Subscriber? First;

    /// <summary>Lets a subscriber leave.</summary>
    /// <returns>Whether it was the last: then the flight is to be aborted, outside the gate.</returns>
    public bool Leave(Subscriber subscriber)
    {
        Remove(subscriber);
        if (SubscriberCount > 0) return false;
        Close(FlightState.Cancelled, FlightOutcome.Cancelled);
        return true;
    }

    /// <summary>Takes a subscriber aboard, who is counted already.</summary>
    protected void Board(Subscriber subscriber)
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

    /// <summary>Takes all from aboard a closed flight. Outside the gate: nobody else touches the ring any more.</summary>
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

        if (subscriber.WorkWait is { } wait) WaitGraph.Remove(wait); // in the same step: nobody may see a wait that is over
        subscriber.WorkWait = null;
        subscriber.Next = subscriber.Previous = null;
        SubscriberCount--;
        Shard.Counters.Subscribers--;
    }
}
