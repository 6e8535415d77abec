using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Caching;

/// <summary>Coalesces the misses of an <see cref="IMemoryCache"/>.</summary>
public static class CoalescingMemoryCacheExtensions
{
    /// <summary>
    /// Returns the value of a key, or loads and stores it. Callers that miss at the same time share one load. A load looks once more before it
    /// begins, and does not store its result if the key was forgotten meanwhile.
    /// </summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="cache">The cache.</param>
    /// <param name="singleflight">Coalesces the loads. Its keys are those of the cache.</param>
    /// <param name="key">The key.</param>
    /// <param name="work">Loads the value.</param>
    /// <param name="options">The options of the entry. Null for an entry without an expiration.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <example>
    /// <code>
    /// var post = await cache.GetOrCreateAsync(
    ///     singleflight,
    ///     $"post:{id}",
    ///     async flight => await database.LoadPostAsync(id, flight),
    ///     new MemoryCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) },
    ///     cancellationToken);
    /// </code>
    /// </example>
    public static ValueTask<T?> GetOrCreateAsync<TKey, T>(
        this IMemoryCache cache,
        ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, ValueTask<T?>> work,
        MemoryCacheEntryOptions? options = null,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(work);
        return cache.TryGetValue(key, out T? found)
            ? new(found)
            : singleflight.ExecuteAsync(key, (cache, key, work, options), static (load, flight) => LoadAsync(load.cache, load.key, load.work, load.options, flight), cancellationToken);
    }

    /// <summary>
    /// Removes a key from the cache, and forgets its flight. A load that began before this does not store its result after it, and later callers do
    /// not join it.
    /// </summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <param name="cache">The cache.</param>
    /// <param name="singleflight">Coalesces the loads.</param>
    /// <param name="key">The key.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static void RemoveAndForget<TKey>(this IMemoryCache cache, ISingleflight<TKey> singleflight, TKey key)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(key);
        using var removal = Loads.Of(cache).Remove([key]);
        cache.Remove(key);
        singleflight.Forget(key); // last, because a flight may have found the entry a moment before
    }

    private static async ValueTask<T?> LoadAsync<TKey, T>(
        IMemoryCache cache,
        TKey key,
        Func<CancellationToken, ValueTask<T?>> work,
        MemoryCacheEntryOptions? options,
        FlightContext flight)
        where TKey : notnull
    {
        using var load = Loads.Of(cache).Begin(key);
        var (isFound, found) = (false, default(T));
        load.Do(() => isFound = cache.TryGetValue(key, out found));
        if (isFound) return found;
        var value = await work(flight.CancellationToken).ConfigureAwait(false);
        load.Do(() =>
        {
            if (flight.IsAlone ? !flight.CancellationToken.IsCancellationRequested : flight.IsCurrent) cache.Set(key, value, options);
        });
        return value;
    }
}
