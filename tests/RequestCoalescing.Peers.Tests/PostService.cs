using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Peers.Tests;

// <snippet comparison-service>
public sealed class PostService(HybridCache cache, ISingleflight flights, IPostStore store)
{
    private static readonly HybridCacheEntryOptions s_readOnly = new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData };

    public ValueTask<Post> GetAsync(string key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(key, (FlightContext flight) => FillAsync(key, flight), cancellationToken);

    public async Task SaveAsync(string key, Post post, CancellationToken cancellationToken)
    {
        await store.SaveAsync(key, post, cancellationToken);
        flights.Forget(key); // from now on, a flight that has read the old post does not store it
        await cache.RemoveAsync(key, cancellationToken);
    }

    private async Task<Post> FillAsync(string key, FlightContext flight)
    {
        var cached = await cache.GetOrCreateAsync<Post?>(key, _ => default, s_readOnly, cancellationToken: flight);
        if (cached is not null) return cached;
        var post = await store.LoadAsync(key, flight);
        if (flight.IsCurrent) await cache.SetAsync(key, post, cancellationToken: flight);
        return post;
    }
}
// </snippet>

public sealed record Post(string Title);

public interface IPostStore
{
    ValueTask<Post> LoadAsync(string key, CancellationToken cancellationToken);

    Task SaveAsync(string key, Post post, CancellationToken cancellationToken);
}
