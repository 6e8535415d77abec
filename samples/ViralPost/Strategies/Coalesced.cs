using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>Requests for a post that arrive while it is being fetched share its query. Nothing is kept afterwards.</summary>
internal sealed class Coalesced(QueryMeter database, ISingleflight<long> singleflight) : Strategy
{
    public override ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        singleflight.ExecuteAsync(id, flight => database.GetPostAsync(id, flight), cancellationToken);
}
