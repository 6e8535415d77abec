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
        string[] tags,
        bool isRefresh)
    {
        public string Key => key;

        public string[] Tags => tags;

        public async ValueTask<T> RunAsync(FlightContext flight)
        {
            // A flight that is not current from the start runs alone, because the instance does not coalesce now. It stores its result all the same.
            var isAlone = !flight.IsCurrent;
            using var load = cache._loads.Begin(key);
            if (!isRefresh && await LookAgainAsync(flight.CancellationToken).ConfigureAwait(false) is (true, var found)) return found;

            var start = cache._clock.GetTimestamp();
            T result;
            try
            {
                result = await factory(state, flight.CancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (!isRefresh && Remembers(error, flight))
            {
                if (load.TryStore()) cache._ledger.Failed(key, error, Jittered(cache._options.FailureDuration));
                throw;
            }

            var took = cache._clock.GetElapsedTime(start);
            if (FlagsOf(options).HasFlag(DisableWrites)) return result;
            if ((isAlone || flight.IsCurrent) && load.TryStore()) await StoreAsync(result, took, isAlone, flight).ConfigureAwait(false);
            else cache._metrics.NotStored();
            return result;
        }

        // Another flight may have stored the value since this flight's callers have looked.
        private async ValueTask<(bool IsFound, T Value)> LookAgainAsync(CancellationToken cancellationToken)
        {
            if (FlagsOf(options).HasFlag(DisableReads) || !cache._looks.TryAdd(key, true)) return default;
            try
            {
                var miss = new Miss();
                var found = await cache._inner.GetOrCreateAsync(
                    key,
                    miss,
                    static (miss, _) =>
                    {
                        miss.HasHappened = true;
                        return default(ValueTask<T>);
                    },
                    With(options, FlagsOf(options) | DisableWrites, options?.Expiration, options?.LocalCacheExpiration),
                    tags.Length == 0 ? null : tags,
                    cancellationToken).ConfigureAwait(false);
                return (!miss.HasHappened, found);
            }
            finally
            {
                cache._looks.TryRemove(key, out _);
            }
        }

        private async ValueTask StoreAsync(T result, TimeSpan took, bool isAlone, FlightContext flight)
        {
            var expires = options;
            var expiration = options?.Expiration ?? cache._options.DefaultExpiration;
            if (cache._options.NotFoundDuration > TimeSpan.Zero && (cache._options.IsNotFound is { } isNotFound ? isNotFound(result) : result is null))
            {
                expiration = Jittered(cache._options.NotFoundDuration);
                expires = With(options, FlagsOf(options), expiration, expiration);
                cache._metrics.NotFound();
            }

            try
            {
                await cache._inner.SetAsync(key, result, expires, tags.Length == 0 ? null : tags, flight.CancellationToken).ConfigureAwait(false);
                if (cache.RefreshesEarly) cache._ledger.Loaded(key, took, expiration);

                // Another node may have forgotten the key while this one stored.
                if (!isAlone && !flight.IsCurrent) await cache._inner.RemoveAsync(key, CancellationToken.None).ConfigureAwait(false);
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
