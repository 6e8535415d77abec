using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Caching;

/// <content>One load: the work of a flight.</content>
public sealed partial class CoalescingHybridCache
{
    // The keys that a flight looks up just now. If an older flight of the key, which has been forgotten, still looks, its inner call would be shared.
    private readonly ConcurrentDictionary<string, bool> _looks = new(StringComparer.Ordinal);

    private sealed class HybridLoad<TState, T>(
        CoalescingHybridCache cache,
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        string[] tags)
    {
        public string Key => key;

        /// <summary>A reload shares no flight that looks into the cache.</summary>
        public string FlightKey => Has(options, DisableReads) ? ReloadOf(key) : key;

        public HybridCacheEntryOptions? Options => options;

        public string[] Tags => tags;

        public string[]? NamedTags => tags.Length == 0 ? null : tags;

        /// <summary>Looks once more, and loads if that finds nothing.</summary>
        public ValueTask<T> RunAsync(FlightContext flight) => RunAsync(flight, isRefresh: false);

        /// <summary>Loads although the cache has a value. A failure is not remembered, because the value stays.</summary>
        public ValueTask<T> RefreshAsync(FlightContext flight) => RunAsync(flight, isRefresh: true);

        private async ValueTask<T> RunAsync(FlightContext flight, bool isRefresh)
        {
            using var load = cache._loads.Begin(key);
            cache._tags.Add(tags, key); // a removal by tag must find the load, also when its caller has left
            var note = await TagInClusterAsync().ConfigureAwait(false);
            try
            {
                if (!isRefresh && await LookAgainAsync(load, flight.CancellationToken).ConfigureAwait(false) is (true, var found)) return found;
                if (cache.RemembersFailures && !Has(options, DisableReads) && cache._ledger.FailureOf(key) is { } failure)
                {
                    cache._metrics.RememberedFailure();
                    failure.Throw();
                }

                return await LoadAsync(load, isRefresh, flight).ConfigureAwait(false);
            }
            finally
            {
                cache._tags.Remove(tags, key);
                if (note is not null) await note.DisposeAsync().ConfigureAwait(false);
            }
        }

        // The same for removals of other nodes. It does not fail.
        private async ValueTask<IAsyncDisposable?> TagInClusterAsync()
        {
            if (cache._cluster is not { } cluster || tags.Length == 0) return null;
            try
            {
                return await cluster.TagAsync(FlightKey, tags).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                Log.NotTagged(cache._logger, cache._name, error);
                return null;
            }
        }

        private async ValueTask<T> LoadAsync(Loads.Load load, bool isRefresh, FlightContext flight)
        {
            var start = cache._clock.GetTimestamp();
            T result;
            try
            {
                result = await factory(state, flight.CancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (!isRefresh && Remembers(error, flight))
            {
                if (load.TryWrite()) cache._ledger.Failed(key, error, Jittered(cache._options.FailureDuration));
                throw;
            }

            var took = cache._clock.GetElapsedTime(start);
            if (Has(options, DisableWrites)) return result;
            if (MayStore(flight) && load.TryWrite()) await StoreAsync(result, took, flight).ConfigureAwait(false);
            else cache._metrics.NotStored();
            return result;
        }

        // A load that runs alone knows of removals by its mark only, until its caller has left. Removals of other nodes do not reach it.
        private bool MayStore(FlightContext flight) =>
            flight.IsAlone ? cache._cluster is null && !flight.CancellationToken.IsCancellationRequested : flight.IsCurrent;

        // Another flight may have stored the value since this flight's callers have looked, or the second level has it.
        private async ValueTask<(bool IsFound, T Value)> LookAgainAsync(Loads.Load load, CancellationToken cancellationToken)
        {
            if (Has(options, DisableReads) || !cache._looks.TryAdd(key, true)) return default;
            try
            {
                if (!load.TryWrite()) return default; // being removed
                var flags = FlagsOf(options) ^ HybridCacheEntryFlags.DisableCompression; // so that no call of the application shares the look
                var found = await cache._inner.GetOrCreateAsync(
                    key,
                    0,
                    Nothing<T>.Load,
                    With(options, flags | HybridCacheEntryFlags.DisableUnderlyingData),
                    NamedTags,
                    cancellationToken).ConfigureAwait(false);
                if (IsSurelyFound(found)) return (true, found);

                // A default value, or none at all.
                var miss = new Miss();
                found = await cache._inner.GetOrCreateAsync(
                    key,
                    miss,
                    static (miss, _) =>
                    {
                        miss.HasHappened = true;
                        return default(ValueTask<T>);
                    },
                    With(options, flags | DisableWrites),
                    NamedTags,
                    cancellationToken).ConfigureAwait(false);
                return (!miss.HasHappened, found);
            }
            finally
            {
                load.EndWrite();
                cache._looks.TryRemove(key, out _);
            }
        }

        private async ValueTask StoreAsync(T result, TimeSpan took, FlightContext flight)
        {
            var expires = options;
            var expiration = options?.Expiration ?? cache._options.DefaultExpiration;
            if (cache._options.NotFoundDuration > TimeSpan.Zero && (cache._options.IsNotFound is { } isNotFound ? isNotFound(result) : result is null))
            {
                expiration = Jittered(cache._options.NotFoundDuration);
                expires = new HybridCacheEntryOptions { Expiration = expiration, LocalCacheExpiration = expiration, Flags = options?.Flags };
                cache._metrics.NotFound();
            }

            try
            {
                await cache._inner.SetAsync(key, result, expires, NamedTags, flight.CancellationToken).ConfigureAwait(false);
                await cache.StoreStaleAsync(key, result, expiration, expires, NamedTags, flight.CancellationToken).ConfigureAwait(false);
                cache._ledger.ForgetFailure(key);
                if (cache._options.EarlyRefresh > 0) cache._ledger.Loaded(key, took, expiration);
            }
            catch (Exception error)
            {
                Log.NotStored(cache._logger, cache._name, error);
            }

            try
            {
                // Another node may have forgotten the key while this one stored.
                if (!flight.IsAlone && !await flight.ConfirmCurrentAsync().ConfigureAwait(false)) await cache.RemoveWithStaleAsync(key, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                Log.NotStored(cache._logger, cache._name, error);
            }
        }

        private bool Remembers(Exception error, FlightContext flight) =>
            cache.RemembersFailures && error is not OperationCanceledException && flight.IsCurrent && (cache._options.RemembersFailure?.Invoke(error) ?? true);

        private TimeSpan Jittered(TimeSpan duration) => duration * (1 + (cache._options.Jitter * ((2 * Random.Shared.NextDouble()) - 1)));
    }

    private sealed class Miss
    {
        public bool HasHappened { get; set; }
    }
}
