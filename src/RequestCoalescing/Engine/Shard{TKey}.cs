using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// The table of current flights: joins a caller to the flight of its key, or lets one take off. A hash table whose nodes are the
/// flights themselves, so that looking for one and registering another hashes once, allocates nothing and is one step.
/// </summary>
/// <remarks>
/// Hashes are mixed (<see cref="Mix"/>): their high bits choose the shard, their low bits the bucket, and each bit depends on all bits of the
/// key's own hash. Otherwise keys that differ in a few bits only, multiples of 4,096 for example, would all meet in a few buckets.
/// </remarks>
internal sealed class Shard<TKey>(Settings settings, IEqualityComparer<TKey> comparer) : Shard(settings)
    where TKey : notnull
{
    private const int MinBuckets = 8;

    // After a burst of keys a table larger than this gives its memory back when it is empty again.
    private const int KeptBuckets = 1024;

    private Flight<TKey>?[] _buckets = new Flight<TKey>?[MinBuckets]; // a power of two
    private int _count;

    /// <summary>The finalizer of MurmurHash3 (Appleby, 2011): a bijection in which each bit of the input changes each bit of the output for half of the inputs.</summary>
    public static uint Mix(int hash)
    {
        var mixed = (uint)hash;
        mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6B;
        mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35;
        return mixed ^ (mixed >> 16);
    }

    public ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult>? flight;
        FlightRejectedException? rejection = null;
        ValueTask<TResult> wait = default;
        var subscribers = 0;
        ThrowIfComparing();
        lock (Gate)
        {
            var current = Find(key, hash);
            if (current is not null && CanJoin<TResult>(current))
            {
                flight = Unsafe.As<Flight<TKey, TResult>>(current);
                wait = flight.Join(state, work, cancellationToken);
                if (Settings.Listener is null) return wait;
                subscribers = flight.SubscriberCount;
            }
            else
            {
                flight = Admit<TResult>(key, hash, current, out rejection);
            }
        }

        if (flight is null) return new(Outcome.Failed<TResult>(rejection!));
        if (subscribers == 0) return flight.TakeOff(state, work, cancellationToken);

        Settings.Listener!.Joined(flight, subscribers);
        return wait;
    }

    /// <summary>Runs work that nobody joins, whatever the limits; for a call, or to verify what one got.</summary>
    public ValueTask<TResult> ExecuteAlone<TState, TResult>(
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        bool verifies,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult>? flight = null;
        FlightRejectedException? rejection = null;
        ThrowIfComparing();
        lock (Gate)
        {
            if (IsAdmitting(out var epoch))
            {
                var now = Settings.Clock.GetTimestamp();
                flight = new Flight<TKey, TResult>(this, key, hash) { IsAlone = true };
                AddAirborne(flight, epoch, now);
                if (verifies) Counters.Verifications++;
                else Counters.Alone++;
            }
            else
            {
                rejection = Rejection(key, FlightRejectionReason.Draining, 0);
                if (verifies) Counters.Rejected--; // a verification is not a call
            }
        }

        return flight is null ? new(Outcome.Failed<TResult>(rejection!)) : flight.TakeOff(state, work, cancellationToken);
    }

    public bool Forget(TKey key, uint hash)
    {
        ThrowIfComparing();
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
            for (var flight = first; flight is not null;)
            {
                var next = flight.NextInBucket;
                flight.NextInBucket = null; // a forgotten flight does not keep its neighbours alive
                flight.IsCurrent = false;
                flight = next;
            }
        }

        _buckets = new Flight<TKey>?[MinBuckets];
        _count = 0;
    }

    [DoesNotReturn]
    private static void ThrowClosed() => ObjectDisposedException.ThrowIf(true, typeof(Singleflight<TKey>));

    private static InvalidOperationException OtherType<TResult>(Flight<TKey> current) =>
        new($"The running work for this key returns a {current.ResultType}, and this call asks for a {typeof(TResult)}. Calls with equal keys must ask for the same type of result. Use another key, or another instance.");

    private bool CanJoin<TResult>(Flight<TKey> current) =>
        current.SubscriberCount < Settings.MaxSubscribers &&
        current.GetType() == typeof(Flight<TKey, TResult>) &&
        (Settings.Drain is null || IsAdmitted(out _)) &&
        IsInWindow(current);

    // While nobody waits no flight is timed: one whose leader is still in the first steps of its work may be overdue unseen.
    private bool IsInWindow(Flight current)
    {
        if (IsTimed && Settings.JoinWindowTicks == long.MaxValue) return true;
        var age = Settings.Clock.GetTimestamp() - current.TakenOffAt;
        return age <= Settings.JoinWindowTicks && age < Settings.MaxDurationTicks;
    }

    private bool IsAdmitting(out int epoch)
    {
        if (Settings.IsClosed) ThrowClosed();
        return IsAdmitted(out epoch);
    }

    private FlightRejectedException Rejection(TKey key, FlightRejectionReason reason, int limit, Flight? current = null)
    {
        Counters.Rejected++;
        var age = current is null ? default(TimeSpan?) : Settings.Clock.GetElapsedTime(current.TakenOffAt);
        return new FlightRejectedException(Settings.Name, Settings.LabelOf(key), reason, limit, age, current?.SubscriberCount);
    }

    // For one who cannot join, and out of the way of those who can: a flight that takes off now, or none where a limit is met.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Flight<TKey, TResult>? Admit<TResult>(TKey key, uint hash, Flight<TKey>? current, out FlightRejectedException? rejection)
    {
        rejection = null;
        if (!IsAdmitting(out var epoch))
        {
            rejection = Rejection(key, FlightRejectionReason.Draining, 0);
            return null;
        }

        var now = Settings.Clock.GetTimestamp(); // before anything has changed: a clock may throw
        if (current is not null && current.ResultType != typeof(TResult)) throw OtherType<TResult>(current);

        var isFull = current is not null && IsInWindow(current);
        var takesSlot = Settings.LimitsInFlight; // read once, because it may change at any moment
        var hasSlot = !isFull && takesSlot && Settings.TryTakeSlot();
        var isOver = isFull || (takesSlot && !hasSlot);
        if (isOver && Settings.Overflow == OverflowBehavior.Reject)
        {
            rejection = isFull
                ? Rejection(key, FlightRejectionReason.MaxSubscribers, Settings.MaxSubscribers, current)
                : Rejection(key, FlightRejectionReason.MaxInFlight, Settings.MaxInFlight);
            return null;
        }

        var flight = new Flight<TKey, TResult>(this, key, hash) { HasSlot = hasSlot, IsAlone = isOver };
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

        AddAirborne(flight, epoch, now);
        return flight;
    }

    private Flight<TKey>? Find(TKey key, uint hash)
    {
        var flight = _buckets[hash & (uint)(_buckets.Length - 1)];
        while (flight is not null && !(flight.Hash == hash && AreEqual(flight.Key, key))) flight = flight.NextInBucket;
        return flight;
    }

    // The key's equality runs under the gate. If it called an engine, it would find this one in the middle of a step, or wait for another gate.
    private bool AreEqual(TKey x, TKey y)
    {
        if ((typeof(TKey).IsPrimitive || typeof(TKey) == typeof(string)) && ReferenceEquals(comparer, EqualityComparer<TKey>.Default)) return comparer.Equals(x, y);
        IsComparing = true;
        try
        {
            return comparer.Equals(x, y);
        }
        finally
        {
            IsComparing = false;
        }
    }

    private void Add(Flight<TKey> flight)
    {
        if (_count == _buckets.Length) Grow();
        ref var bucket = ref _buckets[flight.Hash & (uint)(_buckets.Length - 1)];
        flight.NextInBucket = bucket;
        bucket = flight;
        flight.IsCurrent = true;
        _count++;
    }

    private ref Flight<TKey>? LinkTo(Flight<TKey> flight)
    {
        ref var link = ref _buckets[flight.Hash & (uint)(_buckets.Length - 1)];
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
                ref var bucket = ref grown[flight.Hash & (uint)(grown.Length - 1)];
                flight.NextInBucket = bucket;
                bucket = flight;
                flight = next;
            }
        }

        _buckets = grown;
    }
}
