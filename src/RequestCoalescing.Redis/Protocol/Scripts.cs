namespace RequestCoalescing.Redis.Protocol;

/// <summary>The protocol's steps, each one atomic on the server. Numbers stay below 2^53, as Lua's do (a microsecond clock does until 2255).</summary>
/// <remarks>
/// The keys of one flight share a hash tag: <c>prefix:{key}:lease</c> holds <c>token|owner</c>, <c>…:last</c> the last token that was given
/// out, <c>…:outcome</c> <c>token|payload</c>. Tokens only grow: each is over the last and at least the server's time in microseconds, so that
/// they grow past a <c>last</c> that was lost, too.
/// </remarks>
internal static class Scripts
{
    /// <summary>What <see cref="Enter"/> answers.</summary>
    public const int Lead = 1;
    public const int Wait = 0;
    public const int Outcome = 2;

    /// <summary>
    /// KEYS lease, last, outcome. ARGV owner, lease ms, the token it waits for or 0, join window µs or 0, node. Answers {what, token, ms left of
    /// the lease or the payload}. Who waits for a token accepts its outcome or that of a later one, which began after it came: where a
    /// leader was lost, others may have taken over and landed before it looks again. Its own lease is led again with the same token, so that a lost
    /// reply does no harm; that of another flight of its node, which that node has forgotten or superseded, gives way.
    /// </summary>
    public const string Enter =
        """
        local bound = tonumber(ARGV[3])
        if bound > 0 then
          local outcome = redis.call('GET', KEYS[3])
          if outcome then
            local bar = string.find(outcome, '|', 1, true)
            if tonumber(string.sub(outcome, 1, bar - 1)) >= bound then
              return {2, string.sub(outcome, 1, bar - 1), string.sub(outcome, bar + 1)}
            end
          end
        end
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
        local lease = redis.call('GET', KEYS[1])
        if lease then
          local bar = string.find(lease, '|', 1, true)
          local token = string.sub(lease, 1, bar - 1)
          if string.sub(lease, bar + 1) == ARGV[1] then
            redis.call('PEXPIRE', KEYS[1], ARGV[2])
            return {1, token, ARGV[2]}
          end
          local window = tonumber(ARGV[4])
          local isOwn = string.sub(lease, bar + 1, bar + string.len(ARGV[5])) == ARGV[5]
          if bound > 0 or (not isOwn and (window == 0 or now - tonumber(token) <= window)) then
            return {0, token, tostring(redis.call('PTTL', KEYS[1]))}
          end
        end
        local token = now
        local last = tonumber(redis.call('GET', KEYS[2]) or '0')
        if token <= last then token = last + 1 end
        local text = string.format('%.0f', token)
        redis.call('SET', KEYS[2], text, 'PX', 3600000)
        redis.call('SET', KEYS[1], text .. '|' .. ARGV[1], 'PX', ARGV[2])
        return {1, text, ARGV[2]}
        """;

    /// <summary>KEYS lease. ARGV token|owner, lease ms. Answers whether the lease still holds.</summary>
    public const string Extend =
        """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """;

    /// <summary>KEYS lease, outcome. ARGV token|owner, token|payload, ms to keep it, channel, message. Answers whether the lease still held.</summary>
    public const string Publish =
        """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
        redis.call('DEL', KEYS[1])
        redis.call('PUBLISH', ARGV[4], ARGV[5])
        return 1
        """;

    /// <summary>KEYS lease. ARGV token|owner, channel, message. Gives the lease up; answers whether it still held.</summary>
    public const string Abandon =
        """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('DEL', KEYS[1])
        redis.call('PUBLISH', ARGV[2], ARGV[3])
        return 1
        """;

    /// <summary>KEYS lease, last, outcome. ARGV channel, message, to which the token is added that all before it are forgotten by.</summary>
    public const string Forget =
        """
        local time = redis.call('TIME')
        local token = tonumber(time[1]) * 1000000 + tonumber(time[2])
        local last = tonumber(redis.call('GET', KEYS[2]) or '0')
        if token <= last then token = last + 1 end
        local text = string.format('%.0f', token)
        redis.call('SET', KEYS[2], text, 'PX', 3600000)
        local had = redis.call('DEL', KEYS[1])
        redis.call('DEL', KEYS[3])
        redis.call('PUBLISH', ARGV[1], ARGV[2] .. text)
        return had
        """;
}
