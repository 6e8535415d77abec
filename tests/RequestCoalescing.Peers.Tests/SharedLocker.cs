using Microsoft.Extensions.Logging;
using ZiggyCreatures.Caching.Fusion.Locking.Distributed;

namespace RequestCoalescing.Peers.Tests;

/// <summary>A locker that FusionCache instances of one process share as nodes share one in Redis. There is one key.</summary>
internal sealed class SharedLocker : IFusionCacheDistributedLocker
{
    private readonly SemaphoreSlim _lock = new(1, 1);
    private int _asked;

    /// <summary>How often a node has asked for the lock.</summary>
    public int Asked => Volatile.Read(ref _asked);

    public async ValueTask<object?> AcquireLockAsync(
        string cacheName, string cacheInstanceId, string operationId, string key, string lockName, TimeSpan timeout, ILogger? logger, CancellationToken token)
    {
        Interlocked.Increment(ref _asked);
        return await _lock.WaitAsync(timeout, token) ? _lock : null;
    }

    public object? AcquireLock(
        string cacheName, string cacheInstanceId, string operationId, string key, string lockName, TimeSpan timeout, ILogger? logger, CancellationToken token)
    {
        Interlocked.Increment(ref _asked);
        return _lock.Wait(timeout, token) ? _lock : null;
    }

    public ValueTask ReleaseLockAsync(
        string cacheName, string cacheInstanceId, string operationId, string key, string lockName, object? lockObj, ILogger? logger, CancellationToken token)
    {
        ReleaseLock(cacheName, cacheInstanceId, operationId, key, lockName, lockObj, logger, token);
        return default;
    }

    public void ReleaseLock(
        string cacheName, string cacheInstanceId, string operationId, string key, string lockName, object? lockObj, ILogger? logger, CancellationToken token)
    {
        if (lockObj is not null) _lock.Release();
    }
}
