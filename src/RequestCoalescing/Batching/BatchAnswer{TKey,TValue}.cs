using RequestCoalescing.Batching;

namespace RequestCoalescing;

/// <summary>Takes the answer of a backend key by key. The callers of a key get its outcome at once, before the call has ended.</summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
/// <typeparam name="TValue">The type of the values.</typeparam>
/// <remarks>
/// The first answer for a key counts. Later ones are counted as duplicates, and those for keys that were not asked as unasked. Keys without an answer are
/// missing when the call ends, or fail if it fails. An answer after the end of the call has no effect. Members are safe to call from any number of threads at once.
/// </remarks>
public sealed class BatchAnswer<TKey, TValue>
    where TKey : notnull
{
    private readonly Batch<TKey, TValue> _batch;
    private volatile bool _isClosed;

    internal BatchAnswer(Batch<TKey, TValue> batch) => _batch = batch;

    /// <summary>Answers a key with a value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">Its value.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public void Set(TKey key, TValue value)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!_isClosed) _batch.Answer(key, new BatchOutcome<TValue> { IsFound = true, Value = value });
    }

    /// <summary>Answers a key with an error.</summary>
    /// <param name="key">The key.</param>
    /// <param name="error">The error, which the callers of this key get.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public void Fail(TKey key, Exception error)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(error);
        if (!_isClosed) _batch.Answer(key, new BatchOutcome<TValue> { Error = error });
    }

    /// <summary>The backend has returned, and its answers follow.</summary>
    internal void Return() => _batch.Return();

    internal void Close() => _isClosed = true;
}
