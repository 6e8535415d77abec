using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Caching;
using ZiggyCreatures.Caching.Fusion;
using static RequestCoalescing.Docs.Examples;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/caching.md and of the caching package's readme.</summary>
internal static class Caching
{
    public static void Register(WebApplicationBuilder builder)
    {
        // <snippet caching-hybrid>
        builder.Services.AddHybridCache();
        builder.Services.AddSingleflight("cache").CoalesceHybridCache();
        // </snippet>

        // <snippet caching-fusion>
        builder.Services.AddFusionCache().AsHybridCache();
        builder.Services.AddSingleflight("cache").CoalesceHybridCache();
        // </snippet>
    }

    public static void RegisterCluster(WebApplicationBuilder builder)
    {
        // <snippet caching-cluster>
        builder.Services.AddHybridCache();
        builder.Services.AddSingleflight("cache")
            .UseRedis("redis:6379")
            .CoalesceHybridCache();
        // </snippet>
    }

    public static void RegisterOptions(WebApplicationBuilder builder)
    {
        // <snippet caching-options>
        builder.Services.AddHybridCache();
        builder.Services.AddSingleflight("cache").CoalesceHybridCache(cache =>
        {
            cache.FailureDuration = TimeSpan.FromSeconds(5);                        // a backend that is down is asked every 5 seconds
            cache.RemembersFailure = static error => error is HttpRequestException;
            cache.NotFoundDuration = TimeSpan.FromSeconds(30);                      // null is kept for 30 seconds only
            cache.StaleFor = TimeSpan.FromHours(1);                                 // an expired value is better than an error,
            cache.SlowAfter = TimeSpan.FromSeconds(2);                              // and better than a long wait
            cache.EarlyRefresh = 1;                                                 // entries in use do not expire
        });
        // </snippet>
    }

    public static async Task UpdateAsync(HybridCache cache, Database database, Post post, CancellationToken cancellationToken)
    {
        // <snippet caching-remove>
        await database.SaveAsync(post, cancellationToken);                  // first the write,
        await cache.RemoveAsync($"post:{post.Id}", cancellationToken);      // then the entry and its loads
        // </snippet>
    }

    public static async Task MemoryAsync(IMemoryCache cache, ISingleflight singleflight, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet caching-memory>
        var post = await cache.GetOrCreateAsync(
            singleflight,
            $"post:{id}",
            async flight => await database.LoadPostAsync(id, flight),
            new MemoryCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) },
            cancellationToken);
        // </snippet>
    }

    public static async Task DistributedAsync(IDistributedCache cache, ISingleflight singleflight, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet caching-distributed>
        var post = await cache.GetOrCreateAsync(
            singleflight,
            $"post:{id}",
            async flight => await database.LoadPostAsync(id, flight),
            new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) },
            cancellationToken: cancellationToken);
        // </snippet>
    }
}
