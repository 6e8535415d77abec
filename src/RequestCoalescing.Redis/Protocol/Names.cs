using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What a flight's things are called in Redis. One hash tag a key, so that Redis Cluster keeps them in one slot.</summary>
internal readonly struct Names(string prefix, string key)
{
    // A brace in the key would end the tag early: what counts is that all three have the same one.
    private readonly string _stem = $"{prefix}:{{{key.Replace('}', ')')}}}:{key}";

    public string Key => key;

    public RedisKey Lease => $"{_stem}:lease";

    public RedisKey Last => $"{_stem}:last";

    public RedisKey Outcome => $"{_stem}:outcome";
}
