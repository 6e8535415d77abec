using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Caching;

/// <content>Expired values, while a load is slow or has failed. The inner cache keeps a copy of each value that lives longer.</content>
public sealed partial class CoalescingHybridCache
{
    // No key of an application, because Unicode leaves the meaning of the character to private agreements.
    private const char StaleMark = '\uE000';

    // A look that takes longer than this is given up. Removals wait for it.
    private static readonly TimeSpan s_maxLook = TimeSpan.FromSeconds(1);

    private bool KeepsStale => _options.StaleFor > TimeSpan.Zero;

    private async ValueTask<T> LoadOrStaleAsync<TState, T>(HybridLoad<TState, T> load, CancellationToken cancellationToken)
    {
        // Once the caller has an expired value, it stays a subscriber without a token, so that the flight goes on.
        var leaving = new CancellationTokenSource();
        using var link = cancellationToken.UnsafeRegister(static leaving => ((CancellationTokenSource)leaving!).Cancel(), leaving);
        var pending = FlyAsync(load, leaving.Token).AsTask();
        if (_options.SlowAfter > TimeSpan.Zero)
        {
            await ((Task)pending).WaitAsync(_options.SlowAfter, _clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!pending.IsCompleted && !cancellationToken.IsCancellationRequested)
            {
                _ = ObserveAsync(pending);
                var look = FindStaleAsync(load, "slow", cancellationToken);
                await Task.WhenAny(look, pending).ConfigureAwait(false);
                if (!pending.IsCompleted && await look.ConfigureAwait(false) is (true, var old)) return old;
            }
        }

        try
        {
            return await pending.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception error) when (error is not FlightDeadlockException)
        {
            if (await FindStaleAsync(load, "failed", cancellationToken).ConfigureAwait(false) is (true, var old)) return old;
            throw;
        }
    }

    private static async Task ObserveAsync(Task pending) => await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task<(bool IsFound, T Value)> FindStaleAsync<TState, T>(HybridLoad<TState, T> load, string reason, CancellationToken cancellationToken)
    {
        if (StaleOf(load.Key) is not { } key) return default;

        // A removal waits for the look, so that no later caller joins it.
        using var look = _loads.Begin(load.Key);
        _tags.Add(load.Tags, load.Key);
        using var limit = new CancellationTokenSource(s_maxLook, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            if (!look.TryWrite()) return default; // being removed
            var options = StaleOptions(load.Options, expiration: null, HybridCacheEntryFlags.DisableUnderlyingData | HybridCacheEntryFlags.DisableLocalCacheWrite);
            var value = await _inner.GetOrCreateAsync(key, 0, Nothing<T>.Load, options, load.NamedTags, either.Token).AsTask().WaitAsync(either.Token).ConfigureAwait(false);
            if (!IsSurelyFound(value)) return default;
            _metrics.Stale(reason);
            return (true, value);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception error)
        {
            Log.StaleNotRead(_logger, _name, error);
            return default;
        }
        finally
        {
            _tags.Remove(load.Tags, load.Key);
        }
    }

    private async ValueTask StoreStaleAsync<T>(string key, T value, TimeSpan expiration, HybridCacheEntryOptions? options, IEnumerable<string>? tags, CancellationToken cancellationToken)
    {
        if (!KeepsStale || StaleOf(key) is not { } stale) return;
        if (!IsSurelyFound(value))
        {
            await _inner.RemoveAsync(stale, cancellationToken).ConfigureAwait(false); // that of an older value
            return;
        }

        var lifetime = expiration > TimeSpan.MaxValue - _options.StaleFor ? TimeSpan.MaxValue : expiration + _options.StaleFor;
        await _inner.SetAsync(stale, value, StaleOptions(options, lifetime, HybridCacheEntryFlags.None), tags, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask RemoveWithStaleAsync(string key, CancellationToken cancellationToken)
    {
        if (KeepsStale && StaleOf(key) is { } stale) await _inner.RemoveAsync(stale, cancellationToken).ConfigureAwait(false);
        await _inner.RemoveAsync(key, cancellationToken).ConfigureAwait(false);
    }

    // A removal on another node reaches the second level, and not the first level of this node.
    private HybridCacheEntryOptions StaleOptions(HybridCacheEntryOptions? options, TimeSpan? expiration, HybridCacheEntryFlags flags) => new()
    {
        Expiration = expiration,
        LocalCacheExpiration = expiration,
        Flags = FlagsOf(options) | flags | (_hasSecondLevel ? HybridCacheEntryFlags.DisableLocalCache : HybridCacheEntryFlags.None),
    };

    private static string? StaleOf(string key) => key.Length + 1 > MaxKeyLength ? null : StaleMark + key;
}
