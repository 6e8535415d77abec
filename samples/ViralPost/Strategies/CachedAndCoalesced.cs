using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache, whose misses are coalesced: the two together.</summary>
internal sealed class CachedAndCoalesced(PostDatabase database, ISingleflight<long> singleflight) : Strategy
{
    private readonly Cache _cache = new();

    public override ISingleflight<long> Singleflight => singleflight;

    public override ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        _cache.TryGet(id, out var cached)
            ? ValueTask.FromResult(cached)
            : singleflight.ExecuteAsync(id, (Self: this, Id: id), static (call, flight) => call.Self.FillAsync(call.Id, flight), cancellationToken);

    private async ValueTask<Post?> FillAsync(long id, FlightContext flight)
    {
        // Who missed the cache just before the last flight landed starts one just after, and finds the entry here.
        if (_cache.TryGet(id, out var cached)) return cached;

        var post = await database.GetPostAsync(id, flight.CancellationToken);
        if (flight.IsCurrent) _cache.Set(id, post); // not what was forgotten meanwhile
        return post;
    }
}
