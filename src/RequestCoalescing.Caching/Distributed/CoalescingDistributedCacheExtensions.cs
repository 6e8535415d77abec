using Microsoft.Extensions.Caching.Distributed;

namespace RequestCoalescing.Caching;

/// <summary>Coalesces the misses of an <see cref="IDistributedCache"/>.</summary>
public static class CoalescingDistributedCacheExtensions
{
    private static readonly JsonFlightSerializer s_json = new();

    /// <summary>
    /// Returns the value of a key, or loads and stores it. Callers that miss at the same time share one load, with an instance that uses Redis those
    /// of all nodes. A load looks once more before it begins, and does not store its result if the key was forgotten meanwhile.
    /// </summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="cache">The cache.</param>
    /// <param name="singleflight">Coalesces the loads.</param>
    /// <param name="key">The key, of the cache and of the flight.</param>
    /// <param name="work">Loads the value.</param>
    /// <param name="options">The options of the entry. Null for the defaults of the cache.</param>
    /// <param name="serializer">Converts values to bytes and back. Null for JSON, as in a cluster. Use the serializer of the cluster, if it has another one.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static async ValueTask<T> GetOrCreateAsync<T>(
        this IDistributedCache cache,
        ISingleflight<string> singleflight,
        string key,
        Func<CancellationToken, ValueTask<T>> work,
        DistributedCacheEntryOptions? options = null,
        IFlightSerializer? serializer = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(work);
        serializer ??= s_json;
        if (await cache.GetAsync(key, cancellationToken).ConfigureAwait(false) is { } bytes) return serializer.Deserialize<T>(bytes);
        return await singleflight.ExecuteAsync(
            key,
            (Cache: cache, Key: key, Work: work, Options: options ?? new DistributedCacheEntryOptions(), Serializer: serializer),
            static (load, flight) => LoadAsync(load.Cache, load.Key, load.Work, load.Options, load.Serializer, flight),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Removes a key from the cache, and forgets its flight. A load of this process that began before this does not store its result after it, and
    /// later callers do not join it. A load of another node removes what it has stored when it notices that it was forgotten.
    /// </summary>
    /// <param name="cache">The cache.</param>
    /// <param name="singleflight">Coalesces the loads.</param>
    /// <param name="key">The key.</param>
    /// <param name="cluster">
    /// The cluster of the instance. With it, the removal completes when the whole cluster has forgotten the flight. Null to let the other nodes hear of it soon after.
    /// A <c>RedisSingleflight</c> is its own cluster, and need not be given twice.
    /// </param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <returns>Completes when the key is removed.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="cache"/>, <paramref name="singleflight"/> or <paramref name="key"/> is null.</exception>
    /// <exception cref="Exception">The cache or the cluster cannot be reached. In the second case, the key is removed all the same.</exception>
    public static async Task RemoveAndForgetAsync(
        this IDistributedCache cache,
        ISingleflight<string> singleflight,
        string key,
        IClusterSingleflight<string>? cluster = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(key);
        using var removal = Loads.Of(cache).Remove([key]);
        cluster ??= singleflight as IClusterSingleflight<string>;
        var before = ForgetAsync(); // other nodes learn of the removal before they store
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await removal.Written.WaitAsync(cancellationToken).ConfigureAwait(false);
        await cache.RemoveAsync(key, cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(before, ForgetAsync()).ConfigureAwait(false); // a flight may have found the entry a moment before

        Task ForgetAsync()
        {
            if (cluster is not null) return cluster.ForgetAsync(key);
            singleflight.Forget(key);
            return Task.CompletedTask;
        }
    }

    private static async ValueTask<T> LoadAsync<T>(
        IDistributedCache cache,
        string key,
        Func<CancellationToken, ValueTask<T>> work,
        DistributedCacheEntryOptions options,
        IFlightSerializer serializer,
        FlightContext flight)
    {
        using var load = Loads.Of(cache).Begin(key);
        if (await cache.GetAsync(key, flight.CancellationToken).ConfigureAwait(false) is { } bytes) return serializer.Deserialize<T>(bytes);
        var value = await work(flight.CancellationToken).ConfigureAwait(false);
        if (!(flight.IsAlone ? !flight.CancellationToken.IsCancellationRequested : flight.IsCurrent) || !load.TryWrite()) return value;
        try
        {
            await cache.SetAsync(key, serializer.Serialize(value), options, flight.CancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (!flight.IsAlone && !await flight.ConfirmCurrentAsync().ConfigureAwait(false)) await cache.RemoveAsync(key, CancellationToken.None).ConfigureAwait(false); // another node may have forgotten the key meanwhile
        }

        return value;
    }
}
