using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What a flight has asked for last, whether or not it has heard the answer.</summary>
internal sealed class Asking
{
    public Task<RedisResult>? Last { get; set; }
}
