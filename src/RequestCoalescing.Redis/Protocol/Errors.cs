using System.Runtime.CompilerServices;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// As <see cref="Landing{TResult}.Until"/>, for errors. Callers share the exception object itself. If several flights end with the same object,
/// because an application throws it again, nothing shows which flight it is from, and every caller gets it.
/// </summary>
internal sealed class Errors<TKey>
    where TKey : notnull
{
    private const int MaxKeys = 4; // one for each flight that it passes through, where work waits for other flights

    private readonly ConditionalWeakTable<Exception, Dictionary<TKey, long>> _landings = [];

    /// <summary>Notes that a flight of the key ends with the error.</summary>
    public void Note(Exception error, TKey key, long until)
    {
        var landings = _landings.GetOrCreateValue(error);
        lock (landings)
        {
            if (landings.Count < MaxKeys && landings.TryAdd(key, until)) return;
            foreach (var known in landings.Keys) landings[known] = long.MaxValue;
        }
    }

    public long UntilOf(Exception error, TKey key)
    {
        if (!_landings.TryGetValue(error, out var landings)) return long.MaxValue;
        lock (landings) return landings.GetValueOrDefault(key, long.MaxValue);
    }
}
