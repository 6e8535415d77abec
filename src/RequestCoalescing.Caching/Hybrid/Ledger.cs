using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Caching.Memory;
using RequestCoalescing.Shared;

namespace RequestCoalescing.Caching;

/// <summary>What this process remembers of its loads beside the cache: failures, and how long a load took. Bounded; the entries expire.</summary>
internal sealed class Ledger(TimeProvider clock) : IDisposable
{
    private const int MaxEntries = 100_000;

    private readonly MemoryCache _failures = New(clock);
    private readonly MemoryCache _loads = New(clock);

    public void Failed(string key, Exception error, TimeSpan duration) => Set(_failures, key, ExceptionDispatchInfo.Capture(error), duration);

    public void Loaded(string key, TimeSpan took, TimeSpan expiration)
    {
        var now = clock.GetUtcNow();
        var expiresAt = expiration > DateTimeOffset.MaxValue - now ? DateTimeOffset.MaxValue : now + expiration;
        Set(_loads, key, new LoadTime(took, expiresAt), expiration);
    }

    public ExceptionDispatchInfo? FailureOf(string key) => _failures.Get(key) as ExceptionDispatchInfo;

    public LoadTime? LoadOf(string key) => _loads.Get(key) as LoadTime;

    public void ForgetFailure(string key) => _failures.Remove(key);

    public void Forget(string key)
    {
        _failures.Remove(key);
        _loads.Remove(key);
    }

    /// <summary>Forgets all failures. A load that has failed has left no tags.</summary>
    public void ForgetFailures() => _failures.Clear();

    public void Clear()
    {
        _failures.Clear();
        _loads.Clear();
    }

    public void Dispose()
    {
        _failures.Dispose();
        _loads.Dispose();
    }

    private static MemoryCache New(TimeProvider clock) => new(new MemoryCacheOptions { SizeLimit = MaxEntries, Clock = new CacheClock(clock) });

    private static void Set(MemoryCache entries, string key, object value, TimeSpan expiration)
    {
        try
        {
            entries.Set(key, value, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = expiration });
        }
        catch (ObjectDisposedException)
        {
            // A load outlives the services. Its callers still get its own outcome.
        }
    }
}
