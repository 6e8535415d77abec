using System.Globalization;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The protocol's steps, each one atomic on the server. Numbers stay below 2^53, as Lua's do (a microsecond clock does until 2255).</summary>
/// <remarks>
/// The keys of one flight share a hash tag. <c>prefix:{key}:lease</c> holds <c>token|owner</c>; <c>…:outcome</c>
/// <c>token|time of landing|payload</c>; <c>…:last</c> <c>token|forget|node|lease</c>: the last token that was given out, that of the last
/// forget, the node that forgot, and the lease that it did away with. Tokens only grow: each is over the last and at least the server's time, so
/// that they grow past a <c>last</c> that was lost, too. Times are the server's, in microseconds.
/// </remarks>
internal static class Scripts
{
    /// <summary>What <see cref="Enter"/> answers.</summary>
    public const int Wait = 0;
    public const int Lead = 1;
    public const int Outcome = 2;

    /// <summary>
    /// What <see cref="Publish"/> and <see cref="Abandon"/> answer: the lease held, and the step is done. Else 0: the lease was lost; 2: it held,
    /// but nobody waits for the step any more, as the leader's callers have landed without it: it is given up; or <see cref="Forgotten"/>.
    /// </summary>
    public const int Done = 1;

    /// <summary>Another node has forgotten the flight; callers of the leader's own node may have joined it since.</summary>
    public const int Forgotten = 3;

    /// <summary>
    /// KEYS lease, last, outcome. ARGV owner, lease ms, the token it waits for or 0, join window or 0, node. Answers {what, token, the time or
    /// how long ago it took off or landed, ms left of the lease or the payload}. Who waits for a token accepts its outcome or that of a later one, which
    /// began after it came: where a leader was lost, others may have taken over and landed before it looks again. Its own lease is led again
    /// with the same token, so that a lost reply does no harm; that of another flight of its node, which that node has forgotten or
    /// superseded, gives way.
    /// </summary>
    public const string Enter = Functions +
        """
        local owner, duration, bound, window, node = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
        local now = time()
        if bound > 0 then
          local token, landed, payload = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+)|(%d+)|(.*)$')
          if token and tonumber(token) >= bound then return {2, token, text(now - tonumber(landed)), payload} end
        end
        local token, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(.*)$')
        if holder == owner then
          redis.call('PEXPIRE', KEYS[1], duration)
          return {1, token, text(now), duration}
        end
        local isOwn = holder and string.sub(holder, 1, string.len(node)) == node
        if holder and (bound > 0 or (not isOwn and (window == 0 or now - tonumber(token) <= window))) then
          return {0, token, text(now - tonumber(token)), text(redis.call('PTTL', KEYS[1]))}
        end
        token = next(KEYS[2], now)
        redis.call('SET', KEYS[1], token .. '|' .. owner, 'PX', duration)
        return {1, token, text(now), duration}
        """;

    /// <summary>
    /// KEYS leases. ARGV lease ms, and the owner that each is to have. Answers a text: the time, a bar, and for each 1 if that owner has it, 0 if
    /// not. By the owner, not the token: a lease is extended before its leader has heard the token that was granted.
    /// </summary>
    public const string Extend = Functions +
        """
        local holds = ''
        for i = 1, #KEYS do
          local isHeld = string.match(redis.call('GET', KEYS[i]) or '', '^%d+|(.*)$') == ARGV[i + 1]
          if isHeld then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
          holds = holds .. (isHeld and '1' or '0')
        end
        return text(time()) .. '|' .. holds
        """;

    /// <summary>
    /// KEYS lease, last, outcome. ARGV lease, node, channel, token, payload, ms to keep it, the time until which the leader waits for this,
    /// message, message of an abandoned lease. Hands the outcome to the others.
    /// </summary>
    public const string Publish = Functions +
        """
        local lease, node, channel, token, payload, retention, deadline = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
        if redis.call('GET', KEYS[1]) ~= lease then return lost(KEYS[2], node, lease) end
        redis.call('DEL', KEYS[1])
        local now = time()
        if now > deadline then
          redis.call('PUBLISH', channel, ARGV[9])
          return 2
        end
        redis.call('SET', KEYS[3], token .. '|' .. text(now) .. '|' .. payload, 'PX', retention)
        redis.call('PUBLISH', channel, ARGV[8])
        return 1
        """;

    /// <summary>KEYS lease, last. ARGV lease, node, channel, message. Gives the lease up.</summary>
    public const string Abandon = Functions +
        """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return lost(KEYS[2], ARGV[2], ARGV[1]) end
        redis.call('DEL', KEYS[1])
        redis.call('PUBLISH', ARGV[3], ARGV[4])
        return 1
        """;

    /// <summary>KEYS lease. ARGV owner, channel, message. Gives up whatever lease was granted to an owner that did not hear of it.</summary>
    public const string Withdraw =
        """
        if string.match(redis.call('GET', KEYS[1]) or '', '^%d+|(.*)$') ~= ARGV[1] then return 0 end
        redis.call('DEL', KEYS[1])
        redis.call('PUBLISH', ARGV[2], ARGV[3])
        return 1
        """;

    /// <summary>KEYS lease, last, outcome. ARGV node, channel, message, to which the token is added that all before it are forgotten by.</summary>
    public const string Forget = Functions +
        """
        local token = next(KEYS[2], time(), '|' .. ARGV[1] .. '|' .. (redis.call('GET', KEYS[1]) or ''))
        redis.call('DEL', KEYS[1])
        redis.call('DEL', KEYS[3])
        redis.call('PUBLISH', ARGV[2], ARGV[3] .. token)
        return 1
        """;

    /// <summary>A number, as scripts answer it.</summary>
    public static long Number(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private const string Functions =
        """
        local function time()
          local time = redis.call('TIME')
          return tonumber(time[1]) * 1000000 + tonumber(time[2])
        end
        local function text(number)
          return string.format('%.0f', number)
        end
        local function next(key, now, forget)
          local last, forgotten = string.match(redis.call('GET', key) or '0', '^(%d+)(.*)$')
          local token = text(math.max(now, tonumber(last) + 1))
          redis.call('SET', key, token .. (forget and '|' .. token .. forget or forgotten), 'PX', 3600000)
          return token
        end
        local function lost(last, node, lease)
          local forget, by, what = string.match(redis.call('GET', last) or '', '^%d+|(%d+)|([^|]*)|(.*)$')
          local isSince = forget and tonumber(forget) > tonumber(string.match(lease, '^%d+'))
          if isSince and not (by == node and what == lease) then return 3 end
          return 0
        end

        """;
}
