using System.Runtime.ExceptionServices;
using RequestCoalescing.Shared;

namespace RequestCoalescing.Caching;

/// <summary>What this process remembers of its loads beside the cache: failures, and how long a load took. Bounded; the entries expire.</summary>
internal sealed class Ledger(TimeProvider clock)
{
    private const int MaxEntries = 100_000;

    private readonly Remembered<ExceptionDispatchInfo> _failures = new(MaxEntries, clock);
    private readonly Remembered<LoadTime> _loads = new(MaxEntries, clock);

    public void Failed(string key, Exception error, TimeSpan duration) => _failures.Set(key, ExceptionDispatchInfo.Capture(error), duration);

    public void Loaded(string key, TimeSpan took, TimeSpan expiration)
    {
        var now = clock.GetUtcNow();
        var expiresAt = expiration > DateTimeOffset.MaxValue - now ? DateTimeOffset.MaxValue : now + expiration;
        _loads.Set(key, new LoadTime(took, expiresAt), expiration);
    }

    public ExceptionDispatchInfo? FailureOf(string key) => _failures.TryGet(key, out var failure) ? failure : null;

    public LoadTime? LoadOf(string key) => _loads.TryGet(key, out var load) ? load : null;

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
}
