namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A leader's lease, before and after it is granted. The leader judges it by its own monotonic clock alone, from the moment at which it sent the
/// last request that was granted (point 3 of the protocol).
/// </summary>
internal sealed class Lease(Names names, string owner, RedisSingleflightOptions options)
{
    // The server counts from the arrival of the request, which is later than its sending. The margin is for clocks that differ in speed.
    private readonly TimeSpan _trusted = options.LeaseDuration * 0.9;
    private Action? _whenLost;
    private Grant? _granted;
    private LeaseEpoch _epoch = new();
    private long _askedAt;
    private long? _lostAt;
    private volatile bool _isLost;
    private int _isEnded;

    public Names Names => names;

    /// <summary>The name of the flight that asks for it. No other flight has the same.</summary>
    public string Owner => owner;

    /// <summary>The fencing token; 0 before it is granted.</summary>
    public long Token { get; private set; }

    /// <summary>The value of the lease in Redis.</summary>
    public string Value => $"{Token}|{owner}";

    public bool IsHeld => !_isLost && Token > 0 && options.TimeProvider.GetElapsedTime(Granted.SentAt) < _trusted;

    /// <summary>The last grant. It must not be read before there is one.</summary>
    public Grant Granted => Volatile.Read(ref _granted)!;

    /// <summary>The current epoch. Another one begins when the lease is asked for.</summary>
    public LeaseEpoch Epoch => Volatile.Read(ref _epoch);

    /// <summary>Whether it is lost or given up.</summary>
    public bool IsLost => _isLost;

    /// <summary>The time since the lease was last asked for, by its flight or by a heartbeat.</summary>
    public TimeSpan SinceAsked => options.TimeProvider.GetElapsedTime(Volatile.Read(ref _askedAt));

    /// <summary>How late the next heartbeat is, or was when the lease was lost. A heartbeat is due when a quarter of the lease has passed since the last grant.</summary>
    public TimeSpan Late
    {
        get
        {
            try
            {
                var late = options.TimeProvider.GetElapsedTime(Granted.SentAt, _lostAt ?? options.TimeProvider.GetTimestamp()) - (options.LeaseDuration / 4);
                return late > TimeSpan.Zero ? late : TimeSpan.Zero;
            }
            catch (Exception)
            {
                return TimeSpan.Zero; // the clock has failed
            }
        }
    }

    /// <summary>Notes that the lease is asked for, by its flight or by a heartbeat.</summary>
    /// <returns>The current timestamp.</returns>
    public long Ask()
    {
        var ended = Interlocked.Exchange(ref _epoch, new LeaseEpoch());
        var now = options.TimeProvider.GetTimestamp();
        ended.EndAt(now);
        Volatile.Write(ref _askedAt, now);
        return now;
    }

    /// <summary>Notes the first grant. Heartbeats may have extended the lease before the answer arrived.</summary>
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

    /// <summary>Notes that the server refused a heartbeat. One that was sent before the grant was known proves nothing: the server may have received it first.</summary>
    public void Refuse(long sentAt)
    {
        if (Token > 0 && sentAt > Granted.HeardAt) Lose();
    }

    /// <summary>Sets the action that runs on the thread pool when the lease is lost. It runs at once if the lease is lost already.</summary>
    public void WhenLost(Action action)
    {
        Interlocked.Exchange(ref _whenLost, action);
        if (_isLost) RunWhenLost();
    }

    public void Lose()
    {
        if (_isLost || Token == 0) return; // a lease that is only asked for may still be granted
        _lostAt = options.TimeProvider.GetTimestamp();
        _isLost = true;
        RunWhenLost();
    }

    /// <summary>Claims the end of the lease: to publish, or to give it up.</summary>
    /// <returns>False if the end was claimed before.</returns>
    public bool TryEnd() => Interlocked.Exchange(ref _isEnded, 1) == 0;

    /// <summary>Ends the lease without a loss: it was published or given up.</summary>
    public void GiveUp()
    {
        Interlocked.Exchange(ref _whenLost, null);
        _isLost = true;
    }

    private void RunWhenLost()
    {
        if (Interlocked.Exchange(ref _whenLost, null) is { } action) ThreadPool.UnsafeQueueUserWorkItem(static action => action(), action, preferLocal: false);
    }
}
