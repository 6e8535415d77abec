using System.Globalization;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What a flight's things are called in Redis. One hash tag a key, so that Redis Cluster keeps them in one slot.</summary>
internal sealed class Names
{
    public Names(string prefix, string key)
    {
        // A brace in the key would end the tag early: what counts is that all have the same one.
        var stem = $"{prefix}:{{{key.Replace('}', ')')}}}:{key}:";
        Key = key;
        (Lease, Last, Outcome, Waiting) = (stem + "lease", stem + "last", stem + "outcome", stem + "waiting");
    }

    public string Key { get; }

    public RedisKey Lease { get; }

    public RedisKey Last { get; }

    public RedisKey Outcome { get; }

    public RedisKey Waiting { get; }

    /// <summary>
    /// A text that survives being written as UTF-8, and is not empty: different for different keys, the same on every node. Only keys with
    /// half a surrogate pair, none at all, or a control character in front are written otherwise than they are.
    /// </summary>
    public static string Injective(string key)
    {
        const char Marker = '\u0001';
        var isPlain = key.Length > 0 && key[0] != Marker;
        for (var i = 0; isPlain && i < key.Length; i++)
        {
            if (!char.IsSurrogate(key[i])) continue;
            isPlain = i + 1 < key.Length && char.IsSurrogatePair(key[i], key[i + 1]);
            i++;
        }

        return isPlain ? key : Marker + string.Concat(key.Select(character => ((int)character).ToString("x4", CultureInfo.InvariantCulture)));
    }
}
