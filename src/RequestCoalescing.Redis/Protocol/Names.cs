using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The names of a key's entries in Redis. All have the same hash tag, so that Redis Cluster keeps them in one slot.</summary>
internal sealed class Names
{
    private readonly byte[] _stem; // shared by the four names

    public Names(string prefix, string key)
    {
        // A brace in the key would end the hash tag early. It only matters that all names have the same tag.
        _stem = Encoding.UTF8.GetBytes($"{prefix}:{{{key.Replace('}', ')')}}}:{key}:");
        Key = key;
    }

    public string Key { get; }

    public RedisKey Lease => Name("lease");

    public RedisKey Last => Name("last");

    public RedisKey Outcome => Name("outcome");

    public RedisKey Waiting => Name("waiting");

    /// <summary>The flights with a tag, if the text is a tag and not a key.</summary>
    public RedisKey Tagged => Name("tag");

    /// <summary>
    /// A text that survives encoding as UTF-8 and is not empty. It differs for different keys and is the same on every node. Only an empty key, a key
    /// with half a surrogate pair and a key that begins with U+0001 get another text than their own.
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

    private RedisKey Name(string entry) => new RedisKey(entry).Prepend(_stem);
}
