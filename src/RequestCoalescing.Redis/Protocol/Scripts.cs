using System.Globalization;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The steps of the protocol, each of them atomic on the server. Numbers stay below 2^53, the limit of exact numbers in Lua; a clock in microseconds does until 2255.</summary>
/// <remarks>
/// <para>The keys of one flight share a hash tag. <c>prefix:{key}:lease</c> holds <c>token|owner</c>, where an owner is <c>node-number</c>;
/// <c>…:outcome</c> holds <c>token|time of landing|payload</c>. <c>…:waiting</c> is the set of the nodes that wait for an outcome. <c>…:last</c> holds
/// <c>token|since|node|lease</c>: the last token that was issued, the token since which nothing was forgotten and, if that token is of a forget, the
/// node that forgot and the lease that it ended. Tokens only grow. Each is larger than the last and at least the server's time, so that they
/// grow even if <c>last</c> is lost. Times are the server's, in microseconds.</para>
/// <para>If <c>last</c> is missing, or was written after a lease was granted, it does not prove that nothing was forgotten since that grant. If the
/// server lets a script choose, none of these entries is replicated. A replica that is promoted then knows no lease, rather than a lease that was
/// forgotten while the replica was cut off.</para>
/// <para>A message is sent to the channel of each node that it concerns: <c>1</c>, a letter for its kind, the key's length, a colon, the key, and
/// <c>token|time of landing|payload</c> for an outcome or <c>token|node</c> for a forget.</para>
/// </remarks>
internal static class Scripts
{
    /// <summary>The answers of <see cref="Enter"/>.</summary>
    public const int Wait = 0;
    public const int Lead = 1;
    public const int Outcome = 2;

    /// <summary>
    /// An answer of <see cref="Publish"/> and <see cref="Abandon"/>: the lease held, and the step is done. The other answers are 0, if the lease was
    /// lost; 2, if it held but the step came too late, as the leader's callers have landed without it, and the lease was given up; and <see cref="Forgotten"/>.
    /// </summary>
    public const int Done = 1;

    /// <summary>
    /// Another node has forgotten the flight, or nothing proves that none has. Callers of the leader's own node may have joined the flight since.
    /// </summary>
    public const int Forgotten = 3;

    /// <summary>
    /// Points 2 and 5. KEYS lease, last, outcome, waiting. ARGV owner, lease ms, the token that the flight waits for or 0, join window or 0, node, owners
    /// that it respects. Answers one of the constants above, the token, the time or the time since the landing, and the ms left of the lease or the payload,
    /// separated by bars. A flight that waits for a token accepts its outcome or that of a later token, whose run began after the flight entered: if a leader
    /// is lost, others may take over and land before the flight looks again. A flight that holds the lease gets the same token again, so that a lost reply
    /// does no harm. The lease of another flight of the same node gives way unless it is respected. It is respected if its flight was closed to joiners
    /// before it asked for the lease, so that its run is younger than the event that closed it.
    /// </summary>
    public const string Enter = Functions +
        """
        local owner, duration, bound, window, node, respected = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
        local now = time()
        if bound > 0 then
          local token, landed, payload = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+)|(%d+)|(.*)$')
          if token and tonumber(token) >= bound then return '2|' .. token .. '|' .. text(now - tonumber(landed)) .. '|' .. payload end
        end
        local token, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(.*)$')
        if holder == owner then
          redis.call('PEXPIRE', KEYS[1], duration)
          return '1|' .. token .. '|' .. text(now) .. '|'
        end
        if holder and bound == 0 then
          local isOwn = string.sub(holder, 1, string.len(node)) == node and not string.find(respected, holder .. ' ', 1, true)
          if isOwn or (window > 0 and now - tonumber(token) > window) then holder = nil end
        end
        if holder then
          redis.call('SADD', KEYS[4], node)
          redis.call('PEXPIRE', KEYS[4], 2 * duration)
          return '0|' .. token .. '|' .. text(now) .. '|' .. text(redis.call('PTTL', KEYS[1]))
        end
        token = next(KEYS[2], now, 2 * duration)
        redis.call('SET', KEYS[1], token .. '|' .. owner, 'PX', duration)
        return '1|' .. token .. '|' .. text(now) .. '|'
        """;

    /// <summary>
    /// Point 3. KEYS leases, each with its last. ARGV lease ms, and the owner of each. Answers the time, a bar, and for each lease 1 if that owner
    /// holds it, or 0. The owner decides and not the token, as a lease is also extended while the answer with its token is on its way.
    /// </summary>
    public const string Extend = Functions +
        """
        local holds = ''
        for i = 1, #KEYS / 2 do
          local isHeld = string.match(redis.call('GET', KEYS[2 * i - 1]) or '', '^%d+|(.*)$') == ARGV[i + 1]
          if isHeld then
            redis.call('PEXPIRE', KEYS[2 * i - 1], ARGV[1])
            redis.call('PEXPIRE', KEYS[2 * i], 2 * ARGV[1])
          end
          holds = holds .. (isHeld and '1' or '0')
        end
        return text(time()) .. '|' .. holds
        """;

    /// <summary>
    /// Point 4. KEYS lease, last, outcome, waiting. ARGV lease, node, key, prefix of the channels, token, payload, ms to keep the outcome, the time until
    /// which the leader waits for this step, the longest payload for a message. If no node waits, the outcome is neither kept nor sent.
    /// </summary>
    public const string Publish = Functions +
        """
        local lease, node, key, prefix, token, payload = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
        if redis.call('GET', KEYS[1]) ~= lease then return lost(KEYS[2], node, lease) end
        redis.call('DEL', KEYS[1])
        local now = time()
        if now > tonumber(ARGV[8]) then
          tell(KEYS[4], prefix, key, 'A', '')
          return 2
        end
        if redis.call('EXISTS', KEYS[4]) == 0 then return 1 end
        local head = token .. '|' .. text(now) .. '|'
        redis.call('SET', KEYS[3], head .. payload, 'PX', ARGV[7])
        if string.len(payload) > tonumber(ARGV[9]) then tell(KEYS[4], prefix, key, 'L', head)
        else tell(KEYS[4], prefix, key, 'O', head .. payload) end
        redis.call('DEL', KEYS[4])
        return 1
        """;

    /// <summary>Point 7: gives the lease up. KEYS lease, last, waiting. ARGV lease, node, key, prefix of the channels.</summary>
    public const string Abandon = Functions +
        """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return lost(KEYS[2], ARGV[2], ARGV[1]) end
        redis.call('DEL', KEYS[1])
        tell(KEYS[3], ARGV[4], ARGV[3], 'A', '')
        return 1
        """;

    /// <summary>Point 2: gives up a lease whose owner did not hear that it was granted. KEYS lease, waiting. ARGV owner, key, prefix of the channels.</summary>
    public const string Withdraw = Functions +
        """
        if string.match(redis.call('GET', KEYS[1]) or '', '^%d+|(.*)$') ~= ARGV[1] then return 0 end
        redis.call('DEL', KEYS[1])
        tell(KEYS[2], ARGV[3], ARGV[2], 'A', '')
        return 1
        """;

    /// <summary>Point 8: forgets, and notifies the waiting nodes and the leader's. KEYS lease, last, outcome, waiting. ARGV node, key, prefix of the channels, lease ms.</summary>
    public const string Forget = Functions +
        """
        local lease = redis.call('GET', KEYS[1]) or ''
        local token = next(KEYS[2], time(), 2 * ARGV[4], '|' .. ARGV[1] .. '|' .. lease)
        redis.call('DEL', KEYS[1])
        redis.call('DEL', KEYS[3])
        tell(KEYS[4], ARGV[3], ARGV[2], 'F', token .. '|' .. ARGV[1], string.match(lease, '^%d+|(.*)%-%d+$'))
        return 1
        """;

    /// <summary>Notes that a flight has a tag, on the replicas too. KEYS the tag's flights. ARGV the note, ms to keep it.</summary>
    public const string Tag = Milliseconds +
        """
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """;

    /// <summary>Answers the notes of a tag. KEYS the tag's flights.</summary>
    public const string Tagged = Milliseconds +
        """
        return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
        """;

    private const string Milliseconds =
        """
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

        """;

    private const string Functions =
        """
        local function replicate(to)
          if redis.set_repl then pcall(redis.set_repl, redis[to]) end
        end
        replicate('REPL_NONE')
        local function time()
          local time = redis.call('TIME')
          return tonumber(time[1]) * 1000000 + tonumber(time[2])
        end
        local function text(number)
          return string.format('%.0f', number)
        end
        local function next(key, now, ms, forget)
          local last = redis.call('GET', key)
          local before, since = string.match(last or '', '^(%d+)(.*)$')
          local token = text(last and math.max(now, tonumber(before) + 1) or now)
          if forget then since = '|' .. token .. forget
          elseif not last then since = '|' .. token .. '||' end
          redis.call('SET', key, token .. since, 'PX', ms)
          return token
        end
        local function lost(last, node, lease)
          local since, by, what = string.match(redis.call('GET', last) or '', '^%d+|(%d+)|([^|]*)|(.*)$')
          local isProven = since and (tonumber(since) <= tonumber(string.match(lease, '^%d+')) or (by == node and what == lease))
          return isProven and 0 or 3
        end
        local function tell(waiting, prefix, key, kind, what, leader)
          local message = '1' .. kind .. string.len(key) .. ':' .. key .. what
          replicate('REPL_ALL')
          for _, node in ipairs(redis.call('SMEMBERS', waiting)) do
            redis.call('PUBLISH', prefix .. node, message)
            if node == leader then leader = nil end
          end
          if leader then redis.call('PUBLISH', prefix .. leader, message) end
          replicate('REPL_NONE')
        end

        """;

    /// <summary>Reads a number in the form in which the scripts answer it.</summary>
    public static long Number(ReadOnlySpan<byte> text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
}
