using System.Runtime.CompilerServices;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// As <see cref="Landing{TResult}.Until"/>, for errors. Callers share the exception object itself, and flights of several keys may share it too: their works
/// may wait for one flight, or run in one batch. If several flights of one key end with the same object, because an application throws it again, nothing
/// shows which flight it is from, and every caller of the key gets it. The same holds for an object that ends flights of more than 1,024 keys.
/// </summary>
internal sealed class Errors<TKey>
    where TKey : notnull
{
    private const int MaxKeys = 1_024;

    private readonly ConditionalWeakTable<Exception, Landings> _landings = [];

    /// <summary>Notes that a flight of the key ends with the error.</summary>
    public void Note(Exception error, TKey key, long until)
    {
        var landings = _landings.GetOrCreateValue(error);
        lock (landings)
        {
            if (landings.Untils is null) return;
            if (!landings.Untils.TryAdd(key, until)) landings.Untils[key] = long.MaxValue;
            if (landings.Untils.Count > MaxKeys) landings.Untils = null;
        }
    }

    public long UntilOf(Exception error, TKey key)
    {
        if (!_landings.TryGetValue(error, out var landings)) return long.MaxValue;
        lock (landings) return landings.Untils?.GetValueOrDefault(key, long.MaxValue) ?? long.MaxValue;
    }

    private sealed class Landings
    {
        /// <summary>Null if there were too many.</summary>
        public Dictionary<TKey, long>? Untils { get; set; } = [];
    }
}
