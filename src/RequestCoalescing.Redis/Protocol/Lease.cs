namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A leader's lease, or what a flight asks for in order to have one. The leader trusts it by its own monotonic clock alone: until what is left
/// when the last request for it was sent.
/// </summary>
internal sealed class Lease(Names names, string owner, RedisSingleflightOptions options)
{
    // The server counts from when the request arrives, which is later than when it was sent; the margin is for clocks that run apart.
    private readonly TimeSpan _trusted = options.LeaseDuration * 0.9;
    private Action? _tellLost;
    private Grant? _granted;
    private long _askedAt;
    private long? _lostAt;
    private volatile bool _isLost;
    private int _isEnded;

    public Names Names => names;

    /// <summary>The name of the flight that asks for it, like no other's.</summary>
    public string Owner => owner;

    /// <summary>The fencing token; 0 before it is granted.</summary>
    public long Token { get; private set; }

    /// <summary>What the lease holds in Redis.</summary>
    public string Value => $"{Token}|{owner}";

    public bool IsHeld => !_isLost && Token > 0 && options.TimeProvider.GetElapsedTime(Granted.SentAt) < _trusted;

    /// <summary>The last time that the lease was known to hold. Not to be asked for before it was granted.</summary>
    public Grant Granted => Volatile.Read(ref _granted)!;

    /// <summary>Whether it is lost or given up.</summary>
    public bool IsLost => _isLost;

    /// <summary>How long ago it was asked for last, the first time or by a heartbeat.</summary>
    public TimeSpan SinceAsked => options.TimeProvider.GetElapsedTime(Volatile.Read(ref _askedAt));

    /// <summary>How late its next heartbeat is that should be granted, or was when it was lost: counted from a quarter of the lease after the last.</summary>
    public TimeSpan Late
    {
        get
        {
            var late = options.TimeProvider.GetElapsedTime(Granted.SentAt, _lostAt ?? options.TimeProvider.GetTimestamp()) - (options.LeaseDuration / 4);
            return late > TimeSpan.Zero ? late : TimeSpan.Zero;
        }
    }

    /// <summary>It is asked for, the first time or by a heartbeat.</summary>
    /// <returns>When, as a timestamp.</returns>
    public long Ask()
    {
        var now = options.TimeProvider.GetTimestamp();
        Volatile.Write(ref _askedAt, now);
        return now;
    }

    /// <summary>It was granted. Heartbeats may have extended it before this was heard.</summary>
    public void Grant(long token, Grant granted)
    {
        Renew(granted);
        Token = token;
    }

    public void Renew(Grant granted)
    {
        while (Volatile.Read(ref _granted) is var last && (last is null || granted.SentAt > last.SentAt))
        {
            if (Interlocked.CompareExchange(ref _granted, granted, last) == last) return;
        }
    }

    /// <summary>The server says that it does not hold. What was asked before it was known to hold may be from before it did.</summary>
    public void Refuse(long sentAt)
    {
        if (Token > 0 && sentAt > Granted.HeardAt) Lose();
    }

    /// <summary>What is to be done, on the thread pool, when it is lost. At once if it is lost already.</summary>
    public void WhenLost(Action tell)
    {
        Interlocked.Exchange(ref _tellLost, tell);
        if (_isLost) TellLost();
    }

    public void Lose()
    {
        if (_isLost || Token == 0) return; // what is only asked for yet may be granted after all
        _lostAt = options.TimeProvider.GetTimestamp();
        _isLost = true;
        TellLost();
    }

    /// <summary>Claims the end of the flight's part in the cluster: to publish, or to give the lease up.</summary>
    /// <returns>Whether nobody has claimed it before.</returns>
    public bool TryEnd() => Interlocked.Exchange(ref _isEnded, 1) == 0;

    /// <summary>It is given up, or over: whoever works under it has no part in the cluster any more, but has lost nothing.</summary>
    public void GiveUp()
    {
        Interlocked.Exchange(ref _tellLost, null);
        _isLost = true;
    }

    private void TellLost()
    {
        if (Interlocked.Exchange(ref _tellLost, null) is { } tell) ThreadPool.UnsafeQueueUserWorkItem(static tell => tell(), tell, preferLocal: false);
    }
}
