using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache whose misses are coalesced.</summary>
internal sealed class CachedAndCoalesced(QueryMeter database, Cache cache, ISingleflight<long> singleflight) : Strategy
{
    public override Cache Cache => cache;

    public override ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        cache.TryGet(id, out var cached)
            ? ValueTask.FromResult(cached)
            : singleflight.ExecuteAsync(id, (Self: this, Id: id), static (call, flight) => call.Self.FillAsync(call.Id, flight), cancellationToken);

    private async ValueTask<Post?> FillAsync(long id, FlightContext flight)
    {
        // A request can miss the cache just before a flight lands and start the next flight just after it. It then finds the entry here.
        if (cache.TryGet(id, out var cached)) return cached;

        var post = await database.GetPostAsync(id, flight.CancellationToken);
        if (flight.IsCurrent) cache.Set(id, post); // the result of a forgotten flight is outdated
        return post;
    }
}
