using System.Diagnostics.CodeAnalysis;
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
        FlightRejectionReason reason = default;
        ValueTask<TResult> wait = default;
        int? aboard = null;
        lock (Gate)
        {
            var current = Find(key, hash);
            if (current is not null && CanJoin<TResult>(current))
            {
                flight = Unsafe.As<Flight<TKey, TResult>>(current);
                wait = flight.Join(state, work, cancellationToken);
                if (Settings.Listener is null) return wait;
                aboard = flight.SubscriberCount;
            }
            else
            {
                flight = Admit<TResult>(key, hash, current, out reason);
            }
        }

        if (flight is null) return Outcome.Rejected<TResult>(reason, Settings.LimitOf(reason));
        if (aboard is not { } subscribers) return flight.TakeOff(state, work, cancellationToken);

        Settings.Listener!.Joined(flight, subscribers);
        return wait;
    }

    /// <summary>Runs work that nobody joins, whatever the limits; for a call, or to verify what one got.</summary>
    public ValueTask<TResult> ExecuteAlone<TState, TResult>(
        TKey key,
        int hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        bool verifies,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult>? flight = null;
        lock (Gate)
        {
            if (!IsRefusing())
            {
                var now = Settings.Clock.GetTimestamp();
                flight = new Flight<TKey, TResult>(this, key, hash) { IsAlone = true };
                Enter(flight, now);
                if (verifies) Counters.Verifications++;
                else Counters.Alone++;
            }
            else if (!verifies)
            {
                Counters.Rejected++;
            }
        }

        return flight is null
            ? Outcome.Rejected<TResult>(FlightRejectionReason.Draining, 0)
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

    [DoesNotReturn]
    private static void ThrowClosed() => ObjectDisposedException.ThrowIf(true, typeof(Singleflight<TKey>));

    private static InvalidOperationException OtherType<TResult>(Flight<TKey> current) =>
        new($"A flight of this key with the result type {current.ResultType} is in the air; it cannot be joined for {typeof(TResult)}. Equal keys must mean the same result.");

    private bool CanJoin<TResult>(Flight<TKey> current) =>
        current.SubscriberCount < Settings.MaxSubscribers &&
        current.GetType() == typeof(Flight<TKey, TResult>) &&
        !(IsDraining && !AdmitsWhileDraining()) &&
        IsInWindow(current);

    // While nobody waits no flight is timed: one whose leader is still in the first steps of its work may be overdue unseen.
    private bool IsInWindow(Flight current)
    {
        if (IsTimed && Settings.JoinWindowTicks == long.MaxValue) return true;
        var age = Settings.Clock.GetTimestamp() - current.TakenOffAt;
        return age <= Settings.JoinWindowTicks && age < Settings.MaxDurationTicks;
    }

    private bool IsRefusing()
    {
        if (IsClosed) ThrowClosed();
        return IsDraining && !AdmitsWhileDraining();
    }

    // For one who cannot join, and out of the way of those who can: a flight that takes off now, or none where a limit is met.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Flight<TKey, TResult>? Admit<TResult>(TKey key, int hash, Flight<TKey>? current, out FlightRejectionReason reason)
    {
        if (IsRefusing())
        {
            Counters.Rejected++;
            reason = FlightRejectionReason.Draining;
            return null;
        }

        var now = Settings.Clock.GetTimestamp(); // before anything has changed: a clock may throw
        if (current is not null && current.ResultType != typeof(TResult)) throw OtherType<TResult>(current);

        var isFull = current is not null && IsInWindow(current);

        reason = isFull ? FlightRejectionReason.MaxSubscribers : FlightRejectionReason.MaxInFlight;
        var takesSeat = Settings.LimitsInFlight; // read once: it may change any moment
        var hasSeat = !isFull && takesSeat && Settings.TryTakeSeat();
        var isOver = isFull || (takesSeat && !hasSeat);
        if (isOver && Settings.Overflow == OverflowBehavior.Reject)
        {
            Counters.Rejected++;
            return null;
        }

        var flight = new Flight<TKey, TResult>(this, key, hash) { HasSeat = hasSeat, IsAlone = isOver };
        if (isOver)
        {
            Counters.Alone++;
        }
        else
        {
            if (current is not null)
            {
                Remove(current); // superseded: it flies on for those it has
                EnsureTimer(); // and no longer than it may
            }

            Add(flight);
        }

        Enter(flight, now);
        return flight;
    }

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
