using System.Runtime.CompilerServices;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// As <see cref="Landing{TResult}.Until"/>, of errors: callers share the exception itself. One that several flights end with (an application that
/// throws the same object again) does not tell which of them it is from, and is everybody's.
/// </summary>
internal sealed class Errors<TKey>
    where TKey : notnull
{
    private const int MaxKeys = 4; // one for each flight that it goes through, where works wait for each other's flights

    private readonly ConditionalWeakTable<Exception, Dictionary<TKey, long>> _landings = [];

    /// <summary>A flight of the key ends with the error.</summary>
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
