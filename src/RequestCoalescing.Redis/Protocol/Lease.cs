namespace RequestCoalescing.Redis.Protocol;

/// <summary>A leader's lease. The leader trusts it by its own monotonic clock alone: until what is left when the last request for it was sent.</summary>
internal sealed class Lease(Names names, string owner, long token, Grant granted, RedisSingleflightOptions options) : IDisposable
{
    // The server counts from when the request arrives, which is later than when it was sent; the margin is for clocks that run apart.
    private readonly TimeSpan _trusted = options.LeaseDuration * 0.9;
    private readonly CancellationTokenSource _lost = new();
    private Grant _granted = granted;
    private volatile bool _isLost;

    public Names Names => names;

    public string Owner => owner;

    public long Token => token;

    /// <summary>What the lease holds in Redis.</summary>
    public string Value => $"{token}|{owner}";

    /// <summary>Fires when the lease is lost.</summary>
    public CancellationToken Lost => _lost.Token;

    public bool IsHeld => !_isLost && options.TimeProvider.GetElapsedTime(Granted.SentAt) < _trusted;

    /// <summary>The last time that the lease was known to hold.</summary>
    public Grant Granted => Volatile.Read(ref _granted);

    public void Renew(Grant granted)
    {
        if (granted.SentAt > Granted.SentAt) Volatile.Write(ref _granted, granted);
    }

    public void Lose()
    {
        if (_isLost) return;
        _isLost = true;
        _lost.CancelAsync().ContinueWith(static told => told.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>It is given up: whoever works under it has no part in the cluster any more, but has lost nothing.</summary>
    public void End() => _isLost = true;

    public void Dispose() => _lost.Dispose();
}
