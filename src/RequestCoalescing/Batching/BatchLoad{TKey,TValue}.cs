namespace RequestCoalescing.Batching;

/// <summary>Calls the backend for some keys.</summary>
internal delegate Task BatchLoad<TKey, TValue>(IReadOnlyList<TKey> keys, BatchAnswer<TKey, TValue> answer, CancellationToken cancellationToken)
    where TKey : notnull;
