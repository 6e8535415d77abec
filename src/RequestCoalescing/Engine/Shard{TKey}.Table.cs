using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <content>The hash table of the current flights. Its nodes are the flights themselves.</content>
internal sealed partial class Shard<TKey>
{
    private const int MinBuckets = 8;

    // After a burst of keys a table larger than this gives its memory back when it is empty again.
    private const int KeptBuckets = 1024;

    private Flight<TKey>?[] _buckets = new Flight<TKey>?[MinBuckets]; // a power of two
    private readonly bool _comparesText = IsOrdinal(comparer);
    private int _count;

    /// <summary>Whether keys are strings, compared ordinally.</summary>
    public static bool IsOrdinal(IEqualityComparer<TKey> comparer) =>
        typeof(TKey) == typeof(string) && (ReferenceEquals(comparer, EqualityComparer<TKey>.Default) || ReferenceEquals(comparer, StringComparer.Ordinal));

    // Part by part, so that the gate is free in between. Flights that take off meanwhile may be forgotten too.
    public override void Clear()
    {
        Flight<TKey>?[]? buckets = null;
        for (var next = 0; ;)
        {
            lock (Gate)
            {
                if (buckets != _buckets) (buckets, next) = (_buckets, 0); // the table has grown or shrunk
                for (var end = Math.Min(next + MaxAtOnce, buckets.Length); next < end; next++)
                {
                    while (buckets[next] is { } flight) Unlink(ref buckets[next], flight);
                }

                if (next == buckets.Length)
                {
                    Shrink();
                    return;
                }
            }

            LetOthersIn();
        }
    }

    /// <summary>Removes a current flight. It removes exactly this one, even if another flight has the same key. Under the gate.</summary>
    public void Remove(Flight<TKey> flight)
    {
        Unlink(ref LinkTo(flight), flight);
        Shrink();
    }

    /// <summary>Puts a successor in the place of a current flight. Under the gate.</summary>
    public void Replace(Flight<TKey> flight, Flight<TKey> successor)
    {
        ref var link = ref LinkTo(flight);
        successor.NextInBucket = flight.NextInBucket;
        Volatile.Write(ref link, successor);
        flight.NextInBucket = null;
        (successor.IsCurrent, flight.IsCurrent) = (true, false);
    }

    private void Unlink(ref Flight<TKey>? link, Flight<TKey> flight)
    {
        link = flight.NextInBucket;
        flight.NextInBucket = null; // a forgotten flight does not keep its neighbours alive
        _count--;
        flight.IsCurrent = false;
        flight.First?.CloseToJoiners();
        flight.Arrivals?.Close();
    }

    private void Shrink()
    {
        if (_count == 0 && _buckets.Length > KeptBuckets) Volatile.Write(ref _buckets, new Flight<TKey>?[MinBuckets]);
    }

    /// <summary>
    /// Looks for the current flight without the gate. Flights may be added and removed meanwhile, so that it may miss one, or find one that is no
    /// longer current. It comes to an end all the same: a flight is never added twice, and no links ever form a circle.
    /// </summary>
    public Flight<TKey>? Peek(TKey key, uint hash)
    {
        var buckets = Volatile.Read(ref _buckets);
        for (var flight = Volatile.Read(ref buckets[hash & (uint)(buckets.Length - 1)]); flight is not null; flight = Volatile.Read(ref flight.NextInBucket))
        {
            if (flight.Hash != hash) continue;
            var itsKey = flight.Key;
            Volatile.ReadBarrier(); // a flight releases its key after it has left this state, so that the copy is whole
            if (flight.State == FlightState.InFlight && AreEqual(itsKey, key)) return flight;
        }

        return null;
    }

    private Flight<TKey>? Find(TKey key, uint hash)
    {
        var flight = _buckets[hash & (uint)(_buckets.Length - 1)];
        while (flight is not null && !(flight.Hash == hash && AreEqual(flight.Key, key))) flight = flight.NextInBucket;
        return flight;
    }

    private bool AreEqual(TKey x, TKey y) =>
        _comparesText ? string.Equals(Unsafe.As<TKey, string>(ref x), Unsafe.As<TKey, string>(ref y))
        : typeof(TKey).IsPrimitive && ReferenceEquals(comparer, EqualityComparer<TKey>.Default) ? comparer.Equals(x, y)
        : AreEqualForComparer(x, y);

    // The key's equality may run under the gate. If it called an engine, it would find this one in the middle of a step, or wait for another gate.
    [MethodImpl(MethodImplOptions.NoInlining)] // with the handler for exceptions, the compiler keeps less of a look-up in registers
    private bool AreEqualForComparer(TKey x, TKey y)
    {
        ThrowIfComparing();
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
        flight.IsCurrent = true;
        Volatile.Write(ref bucket, flight); // readers without the gate see the whole flight
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

        Volatile.Write(ref _buckets, grown);
    }
}
