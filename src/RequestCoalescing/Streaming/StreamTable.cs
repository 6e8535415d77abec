using System.Runtime.CompilerServices;

namespace RequestCoalescing.Streaming;

/// <summary>The streams that callers of one instance can join now, under their keys. The engine decides which of them is current.</summary>
internal sealed class StreamTable<TKey, T>(IEqualityComparer<TKey> comparer)
    where TKey : notnull
{
    private static readonly ConditionalWeakTable<ISingleflight<TKey>, StreamTable<TKey, T>> s_tables = [];

    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, SharedStream<T>> _streams = new(comparer);
    private TaskCompletionSource? _changed;

    public static StreamTable<TKey, T> Of(ISingleflight<TKey> singleflight) =>
        s_tables.GetValue(singleflight, static of => new StreamTable<TKey, T>((of as Singleflight<TKey>)?.Comparer ?? EqualityComparer<TKey>.Default));

    /// <summary>Completes when a stream has been added after this.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate) return (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <returns>The stream of the current flight. Null if there is none, or its work has not begun.</returns>
    public SharedStream<T>? Find(TKey key)
    {
        lock (_gate) return _streams.TryGetValue(key, out var stream) && stream.IsCurrent ? stream : null;
    }

    /// <summary>The work of a flight has begun. A flight that is not current cannot be joined, and is not added.</summary>
    public void Add(TKey key, SharedStream<T> stream)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            if (stream.IsCurrent) _streams[key] = stream;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    public void Remove(TKey key, SharedStream<T> stream)
    {
        lock (_gate)
        {
            if (_streams.TryGetValue(key, out var found) && found == stream) _streams.Remove(key);
        }
    }
}
