using System.Runtime.InteropServices;

namespace RequestCoalescing.Engine;

/// <summary>The table of current flights: joins a caller to the flight of its key, or lets one take off.</summary>
internal sealed class Shard<TKey>(Settings settings, IEqualityComparer<TKey>? comparer) : Shard(settings)
    where TKey : notnull
{
    // After a burst of keys a table this large gives its memory back when it is empty again.
    private const int KeptCapacity = 1024;

    private readonly Dictionary<TKey, Flight> _current = new(comparer);

    public ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult> flight;
        lock (Gate)
        {
            ObjectDisposedException.ThrowIf(IsClosed, typeof(Singleflight<TKey>));

            ref var slot = ref CollectionsMarshal.GetValueRefOrNullRef(_current, key);
            var current = System.Runtime.CompilerServices.Unsafe.IsNullRef(ref slot) ? null : slot;
            if (current is not null && CanJoin(current))
            {
                var joined = current as Flight<TKey, TResult> ?? throw OtherType<TResult>(current);
                Counters.Calls++;
                if (joined.SubscriberCount < Settings.MaxSubscribers)
                {
                    Counters.Coalesced++;
                    return joined.Join(state, work, cancellationToken);
                }

                if (Settings.Overflow == OverflowBehavior.Reject)
                {
                    Counters.Rejected++;
                    return Outcome.Rejected<TResult>(FlightRejectionReason.MaxSubscribers, Settings.MaxSubscribers);
                }

                flight = new(this, key);
            }
            else
            {
                Counters.Calls++;
                var hasSeat = !Settings.LimitsInFlight || Settings.TryTakeSeat();
                if (!hasSeat && Settings.Overflow == OverflowBehavior.Reject)
                {
                    Counters.Rejected++;
                    return Outcome.Rejected<TResult>(FlightRejectionReason.MaxInFlight, Settings.MaxInFlight);
                }

                flight = new(this, key) { HasSeat = hasSeat, IsCurrent = hasSeat };
                if (hasSeat)
                {
                    if (current is null)
                    {
                        _current.Add(key, flight);
                    }
                    else
                    {
                        current.IsCurrent = false; // superseded: it flies on for those it has
                        slot = flight;
                    }
                }
            }

            Counters.Flights++;
            Counters.InFlight++;
            Counters.Subscribers++;
            flight.SubscriberCount = 1;
            Enter(flight);
        }

        return flight.TakeOff(state, work, cancellationToken);
    }

    public bool Forget(TKey key)
    {
        lock (Gate)
        {
            if (!_current.TryGetValue(key, out var flight)) return false;
            Remove(key, flight);
            return true;
        }
    }

    public void Clear()
    {
        lock (Gate)
        {
            foreach (var flight in _current.Values) flight.IsCurrent = false;
            _current.Clear();
            GiveBack();
        }
    }

    /// <summary>Removes the flight, which must be the current one of its key. Under the gate.</summary>
    public void Remove(TKey key, Flight flight)
    {
        flight.IsCurrent = false;
        _current.Remove(key);
        GiveBack();
    }

    /// <summary>Puts a successor in the place of the current flight of its key. Under the gate.</summary>
    public void Replace(TKey key, Flight flight, Flight successor)
    {
        flight.IsCurrent = false;
        successor.IsCurrent = true;
        _current[key] = successor;
    }

    private static InvalidOperationException OtherType<TResult>(Flight current) =>
        new($"A flight of this key with the result type {current.ResultType} is in the air; it cannot be joined for {typeof(TResult)}. Equal keys must mean the same result.");

    private bool CanJoin(Flight flight) =>
        Settings.JoinWindowTicks == long.MaxValue ||
        Settings.Clock.GetTimestamp() - flight.TakenOffAt <= Settings.JoinWindowTicks;

    private void GiveBack()
    {
        if (_current.Count == 0 && _current.Capacity > KeptCapacity) _current.TrimExcess();
    }
}
