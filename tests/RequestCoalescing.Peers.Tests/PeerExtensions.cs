using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>
/// One way to call each library, always for the same key. A call that joins a run has joined it when it returns its task: up to there,
/// each of these libraries runs synchronously. So a test that has made a call need not wait until the caller waits.
/// </summary>
internal static class PeerExtensions
{
    public const string Key = "post:12345";

    private static readonly HybridCacheEntryOptions s_coalesceOnly = new()
    {
        Flags = HybridCacheEntryFlags.DisableLocalCache | HybridCacheEntryFlags.DisableDistributedCache,
    };

    public static HybridCache NewHybridCache(IDistributedCache? shared = null)
    {
        var services = new ServiceCollection();
        if (shared is not null) services.AddSingleton(shared);
        services.AddHybridCache();
        return services.BuildServiceProvider().GetRequiredService<HybridCache>();
    }

    public static FusionCache NewFusionCache() => new(new FusionCacheOptions());

    /// <summary>Our own engine.</summary>
    public static Task<T> CallAsync<T>(this ISingleflight singleflight, Func<CancellationToken, ValueTask<T>> work, CancellationToken token = default) =>
        singleflight.ExecuteAsync(Key, work, token).AsTask();

    /// <summary>HybridCache as it is used: with its cache.</summary>
    public static Task<T> CallAsync<T>(this HybridCache cache, Func<CancellationToken, ValueTask<T>> work, CancellationToken token = default) =>
        cache.GetOrCreateAsync(Key, work, cancellationToken: token).AsTask();

    /// <inheritdoc cref="CallAsync{T}(HybridCache, Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public static Task<T> CallAsync<T>(this HybridCache cache, Func<CancellationToken, ValueTask<T>> work, string tag) =>
        cache.GetOrCreateAsync(Key, work, tags: [tag]).AsTask();

    /// <summary>HybridCache without its caches: what is left is its coalescing.</summary>
    public static Task<T> CoalesceAsync<T>(this HybridCache cache, Func<CancellationToken, ValueTask<T>> work, CancellationToken token = default) =>
        cache.GetOrCreateAsync(Key, work, s_coalesceOnly, cancellationToken: token).AsTask();

    /// <summary>FusionCache as it is used: with its memory cache.</summary>
    public static Task<T> CallAsync<T>(this FusionCache cache, Func<CancellationToken, ValueTask<T>> work, CancellationToken token = default) =>
        cache.CallAsync(work, options: null, token);

    /// <inheritdoc cref="CallAsync{T}(FusionCache, Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public static Task<T> CallAsync<T>(
        this FusionCache cache, Func<CancellationToken, ValueTask<T>> work, FusionCacheEntryOptions? options, CancellationToken token = default) =>
        cache.GetOrSetAsync<T>(Key, (_, ct) => work(ct).AsTask(), default, options, tags: null, token).AsTask();

    /// <inheritdoc cref="CallAsync{T}(FusionCache, Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public static Task<T> CallAsync<T>(this FusionCache cache, Func<CancellationToken, ValueTask<T>> work, string tag) =>
        cache.GetOrSetAsync<T>(Key, (_, ct) => work(ct).AsTask(), default, options: null, tags: [tag]).AsTask();
}
