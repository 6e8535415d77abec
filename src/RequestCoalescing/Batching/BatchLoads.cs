namespace RequestCoalescing.Batching;

/// <summary>Turns the forms of a backend into one.</summary>
internal static class BatchLoads
{
    public static BatchLoad<TKey, TValue> Of<TKey, TValue>(Func<IReadOnlyList<TKey>, BatchAnswer<TKey, TValue>, CancellationToken, Task> load)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(load);
        return new(load);
    }

    public static BatchLoad<TKey, TValue> Of<TKey, TValue>(Func<IReadOnlyList<TKey>, CancellationToken, Task<IReadOnlyDictionary<TKey, TValue>>> load)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(load);
        return async (keys, answer, cancellationToken) =>
        {
            var call = load(keys, cancellationToken) ?? throw new InvalidOperationException("The load returned null. It must return a task.");
            var values = await call.ConfigureAwait(false) ?? throw new InvalidOperationException("The load's task returned null. It must return a dictionary.");
            answer.Return();
            foreach (var (key, value) in values) answer.Set(key, value);
        };
    }
}
