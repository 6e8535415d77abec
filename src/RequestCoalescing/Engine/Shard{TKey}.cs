using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// The table of current flights: joins a caller to the flight of its key, or lets one take off. A hash table whose nodes are the
/// flights themselves, so that looking for one and registering another hashes once, allocates nothing and is one step.
/// </summary>
internal sealed class Shard<TKey>(Settings settings, IEqualityComparer<TKey> comparer) : Shard(settings)
    where TKey : notnull
{
    private const int MinBuckets = 8;

    // After a burst of keys a table larger than this gives its memory back when it is empty again.
    private const int KeptBuckets = 1024;

    private Flight<TKey>?[] _buckets = new Flight<TKey>?[MinBuckets]; // a power of two
    private int _count;

    public ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        int hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult>? flight;
        FlightRejectionReason reason;
        lock (Gate)
        {
            var current = Find(key, hash);
            if (current is not null && CanJoin(current))
            {
                var joined = current as Flight<TKey, TResult> ?? throw OtherType<TResult>(current);
                if (joined.SubscriberCount < Settings.MaxSubscribers)
                {
                    Counters.Coalesced++;
                    return joined.Join(state, work, cancellationToken);
                }

                reason = FlightRejectionReason.MaxSubscribers;
                flight = Overflow<TResult>(key, hash);
            }
            else
            {
                reason = FlightRejectionReason.MaxInFlight;
                flight = Lead<TResult>(key, hash, current);
            }

            if (flight is not null) Enter(flight);
        }

        return flight is null
            ? Outcome.Rejected<TResult>(reason, Settings.LimitOf(reason))
            : flight.TakeOff(state, work, cancellationToken);
    }

    public bool Forget(TKey key, int hash)
    {
        lock (Gate)
        {
            if (Find(key, hash) is not { } flight) return false;
            Remove(flight);
            return true;
        }
    }

    public void Clear()
    {
        lock (Gate) ForgetAll();
    }

    /// <summary>Removes a current flight: this one, whatever other its key may have had or may have next. Under the gate.</summary>
    public void Remove(Flight<TKey> flight)
    {
        ref var link = ref LinkTo(flight);
        link = flight.NextInBucket;
        flight.NextInBucket = null;
        flight.IsCurrent = false;
        if (--_count == 0 && _buckets.Length > KeptBuckets) _buckets = new Flight<TKey>?[MinBuckets];
    }

    /// <summary>Puts a successor in the place of a current flight. Under the gate.</summary>
    public void Replace(Flight<TKey> flight, Flight<TKey> successor)
    {
        ref var link = ref LinkTo(flight);
        link = successor;
        (successor.NextInBucket, flight.NextInBucket) = (flight.NextInBucket, null);
        (successor.IsCurrent, flight.IsCurrent) = (true, false);
    }

    protected override void ForgetAll()
    {
        foreach (var first in _buckets)
        {
            for (var flight = first; flight is not null; flight = flight.NextInBucket) flight.IsCurrent = false;
        }

        _buckets = new Flight<TKey>?[MinBuckets];
        _count = 0;
    }

    private static InvalidOperationException OtherType<TResult>(Flight<TKey> current) =>
        new($"A flight of this key with the result type {current.ResultType} is in the air; it cannot be joined for {typeof(TResult)}. Equal keys must mean the same result.");

    // Out of the way of those who join: a new current flight, if there is a seat for it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Flight<TKey, TResult>? Lead<TResult>(TKey key, int hash, Flight<TKey>? superseded)
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(Singleflight<TKey>));
        var isLimited = Settings.LimitsInFlight;
        if (isLimited && !Settings.TryTakeSeat()) return Overflow<TResult>(key, hash);

        var flight = new Flight<TKey, TResult>(this, key, hash) { HasSeat = isLimited };
        if (superseded is not null) Remove(superseded); // it flies on for those it has
        Add(flight);
        return flight;
    }

    // A flight that nobody can join, or none.
    private Flight<TKey, TResult>? Overflow<TResult>(TKey key, int hash)
    {
        if (Settings.Overflow == OverflowBehavior.RunAlone) return new(this, key, hash);
        Counters.Rejected++;
        return null;
    }

    private bool CanJoin(Flight flight) =>
        Settings.JoinWindowTicks == long.MaxValue ||
        Settings.Clock.GetTimestamp() - flight.TakenOffAt <= Settings.JoinWindowTicks;

    private Flight<TKey>? Find(TKey key, int hash)
    {
        var flight = _buckets[hash & (_buckets.Length - 1)];
        while (flight is not null && !(flight.Hash == hash && comparer.Equals(flight.Key, key))) flight = flight.NextInBucket;
        return flight;
    }

    private void Add(Flight<TKey> flight)
    {
        if (_count == _buckets.Length) Grow();
        ref var bucket = ref _buckets[flight.Hash & (_buckets.Length - 1)];
        flight.NextInBucket = bucket;
        bucket = flight;
        flight.IsCurrent = true;
        _count++;
    }

    private ref Flight<TKey>? LinkTo(Flight<TKey> flight)
    {
        ref var link = ref _buckets[flight.Hash & (_buckets.Length - 1)];
        while (link != flight) link = ref link!.NextInBucket;
        return ref link;
    }

    private void Grow()
    {
        var grown = new Flight<TKey>?[_buckets.Length * 2];
        foreach (var first in _buckets)
        {
            for (var flight = first; flight is not null;)
            {
                var next = flight.NextInBucket;
                ref var bucket = ref grown[flight.Hash & (grown.Length - 1)];
                flight.NextInBucket = bucket;
                bucket = flight;
                flight = next;
            }
        }

        _buckets = grown;
    }
}
