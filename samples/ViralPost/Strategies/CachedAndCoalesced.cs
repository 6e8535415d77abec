using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache whose misses are coalesced: the two together.</summary>
internal sealed class CachedAndCoalesced(QueryMeter database, Cache cache, ISingleflight<long> singleflight) : Strategy
{
    public override Cache Cache => cache;

    public override ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        cache.TryGet(id, out var cached)
            ? ValueTask.FromResult(cached)
            : singleflight.ExecuteAsync(id, (Self: this, Id: id), static (call, flight) => call.Self.FillAsync(call.Id, flight), cancellationToken);

    private async ValueTask<Post?> FillAsync(long id, FlightContext flight)
    {
        // A request that missed the cache just before the last flight landed starts a flight just after, and finds the entry here.
        if (cache.TryGet(id, out var cached)) return cached;

        var post = await database.GetPostAsync(id, flight.CancellationToken);
        if (flight.IsCurrent) cache.Set(id, post); // a forgotten flight has an old answer
        return post;
    }
}
