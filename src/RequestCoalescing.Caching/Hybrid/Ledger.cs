using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Internal;

namespace RequestCoalescing.Caching;

/// <summary>What this process remembers of its loads beside the cache: failures, and how long a load took. Bounded; the entries expire.</summary>
internal sealed class Ledger(TimeProvider clock) : IDisposable
{
    private const int MaxEntries = 100_000;

    private readonly MemoryCache _entries = new(new MemoryCacheOptions { SizeLimit = MaxEntries, Clock = new Clock(clock) });

    public void Failed(string key, Exception error, TimeSpan duration) => Set(key, ExceptionDispatchInfo.Capture(error), duration);

    public void Loaded(string key, TimeSpan took, TimeSpan expiration) => Set(key, new LoadTime(took, clock.GetUtcNow() + expiration), expiration);

    public ExceptionDispatchInfo? FailureOf(string key) => _entries.Get(key) as ExceptionDispatchInfo;

    public LoadTime? LoadOf(string key) => _entries.Get(key) as LoadTime;

    public void Forget(string key) => _entries.Remove(key);

    public void Clear() => _entries.Clear();

    public void Dispose() => _entries.Dispose();

    private void Set(string key, object value, TimeSpan expiration) =>
        _entries.Set(key, value, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = expiration });

    private sealed class Clock(TimeProvider clock) : ISystemClock
    {
        public DateTimeOffset UtcNow => clock.GetUtcNow();
    }
}
