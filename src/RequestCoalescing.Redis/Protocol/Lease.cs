namespace RequestCoalescing.Redis.Protocol;

/// <summary>A leader's lease. The leader trusts it by its own monotonic clock alone: until what is left when the last request for it was sent.</summary>
internal sealed class Lease(Names names, string owner, long token, RedisSingleflightOptions options) : IDisposable
{
    // The server counts from when the request arrives, which is later than when it was sent; the margin is for clocks that run apart.
    private readonly TimeSpan _trusted = options.LeaseDuration * 0.9;
    private readonly CancellationTokenSource _lost = new();
    private long _asked;
    private volatile bool _isLost;

    public Names Names => names;

    public string Owner => owner;

    public long Token => token;

    /// <summary>What the lease holds in Redis.</summary>
    public string Value => $"{token}|{owner}";

    /// <summary>Fires when the lease is lost.</summary>
    public CancellationToken Lost => _lost.Token;

    public bool IsHeld => !_isLost && options.TimeProvider.GetElapsedTime(Volatile.Read(ref _asked)) < _trusted;

    /// <summary>A request that was sent then has been granted.</summary>
    public void Granted(long sentAt) => Volatile.Write(ref _asked, sentAt);

    public void Lose()
    {
        if (_isLost) return;
        _isLost = true;
        _lost.CancelAsync().ContinueWith(static told => told.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    public void Dispose() => _lost.Dispose();
}
