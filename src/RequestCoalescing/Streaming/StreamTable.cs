using System.Runtime.CompilerServices;

namespace RequestCoalescing.Streaming;

/// <summary>The streams that callers of one instance can join now, under their keys. The engine decides which of them is current.</summary>
internal sealed class StreamTable<TKey, T>(IEqualityComparer<TKey> comparer)
    where TKey : notnull
{
    private static readonly ConditionalWeakTable<ISingleflight<TKey>, StreamTable<TKey, T>> s_tables = [];

    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, SharedStream<T>> _streams = new(comparer);
    private StreamMoment<TKey, T> _now = new();

    public static StreamTable<TKey, T> Of(ISingleflight<TKey> singleflight) =>
        s_tables.GetValue(singleflight, static of => new StreamTable<TKey, T>((of as Singleflight<TKey>)?.Comparer ?? EqualityComparer<TKey>.Default));

    public StreamMoment<TKey, T> Now
    {
        get
        {
            lock (_gate) return _now;
        }
    }

    public bool AreEqual(TKey one, TKey other) => comparer.Equals(one, other);

    /// <returns>The stream of the last flight that was current and whose work has begun. Null if there is none. The streams that begin later come after the moment.</returns>
    public (SharedStream<T>? Last, StreamMoment<TKey, T> Now) Find(TKey key)
    {
        lock (_gate) return (_streams.GetValueOrDefault(key), _now);
    }

    /// <summary>The work of a flight has begun. Later callers do not find it if it is not current, because they cannot join it.</summary>
    public void Add(TKey key, SharedStream<T> stream)
    {
        var next = new StreamMoment<TKey, T>();
        StreamMoment<TKey, T> now;
        lock (_gate)
        {
            if (stream.IsCurrent) _streams[key] = stream;
            (now, _now) = (_now, next);
        }

        now.Pass(key, stream, next);
    }

    public void Remove(TKey key, SharedStream<T> stream)
    {
        lock (_gate)
        {
            if (_streams.TryGetValue(key, out var found) && found == stream) _streams.Remove(key);
        }
    }
}
