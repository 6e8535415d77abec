namespace RequestCoalescing.Engine;

/// <content>Who is aboard.</content>
internal abstract partial class Flight<TResult>
{
    /// <summary>Those who wait, first come first: a ring, so that the last is <c>_first.Previous</c>.</summary>
    private Subscriber<TResult>? _first;

    /// <summary>Takes a follower aboard. Under the gate, while in flight.</summary>
    /// <returns>The follower's wait.</returns>
    public ValueTask<TResult> Join<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        SubscriberCount++;
        Shard.Counters.Subscribers++;
        return Board(Follower<TState, TResult>.Rent(state, work), cancellationToken);
    }

    /// <summary>Lets a subscriber leave. Under the gate.</summary>
    /// <returns>Whether it was the last: then the flight is to be told, by <see cref="Flight.Cancel"/> outside the gate.</returns>
    public bool Leave(Subscriber<TResult> subscriber)
    {
        Remove(subscriber);
        if (SubscriberCount > 0) return false;
        Close(FlightState.Cancelled);
        return true;
    }

    // The leader comes aboard when its work turns out to take time; it has been counted since the take-off.
    private ValueTask<TResult> BoardLeader(Task<TResult> run, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            var expired = _outcome;
            _outcome = run;
            return State == FlightState.Expired ? new(expired!) : Board(Leader<TResult>.Rent(), cancellationToken);
        }
    }

    private ValueTask<TResult> Board(Subscriber<TResult> subscriber, CancellationToken cancellationToken)
    {
        if (_first is null)
        {
            subscriber.Next = subscriber.Previous = _first = subscriber;
        }
        else
        {
            subscriber.Next = _first;
            subscriber.Previous = _first.Previous;
            _first.Previous = subscriber.Previous!.Next = subscriber;
        }

        Shard.SetTimer();
        return subscriber.Board(this, cancellationToken);
    }

    private void Remove(Subscriber<TResult> subscriber)
    {
        if (subscriber.Next == subscriber)
        {
            _first = null;
        }
        else
        {
            subscriber.Previous!.Next = subscriber.Next;
            subscriber.Next!.Previous = subscriber.Previous;
            if (_first == subscriber) _first = subscriber.Next;
        }

        subscriber.Next = subscriber.Previous = null;
        subscriber.IsAboard = false;
        SubscriberCount--;
        Shard.Counters.Subscribers--;
    }

    // Of a closed flight: nobody else touches the ring. A subscriber that is completed may wait elsewhere the next moment.
    private void Complete(Task<TResult> outcome)
    {
        if (_first is not { } subscriber) return;

        _first = null;
        subscriber.Previous!.Next = null;
        while (true)
        {
            var next = subscriber.Next;
            subscriber.Complete(outcome);
            if (next is null) return;
            subscriber = next;
        }
    }
}
