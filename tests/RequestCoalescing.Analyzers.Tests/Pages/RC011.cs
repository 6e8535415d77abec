using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC011(IDatabase database, ISingleflight singleflight, IMemoryCache cache)
{
    public ValueTask<Post> Before(string id, CancellationToken cancellationToken) =>
        // <snippet rc011-before>
        singleflight.ExecuteAsync(
            id,
            async flight =>
            {
                var post = await database.LoadPostAsync(id, flight);
                cache.Set(id, post);
                return post;
            },
            cancellationToken);
    // </snippet>

    public ValueTask<Post> After(string id, CancellationToken cancellationToken) =>
        // <snippet rc011-after>
        singleflight.ExecuteAsync(
            id,
            async (FlightContext flight) =>
            {
                var post = await database.LoadPostAsync(id, flight);
                if (flight.IsCurrent) cache.Set(id, post);
                return post;
            },
            cancellationToken);
    // </snippet>
}
