using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>Requests for a post that come while it is being fetched wait for it; nothing is kept.</summary>
internal sealed class Coalesced(PostDatabase database, ISingleflight<long> singleflight) : Strategy
{
    public override ISingleflight<long> Singleflight => singleflight;

    public override ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        singleflight.ExecuteAsync(id, flight => database.GetPostAsync(id, flight), cancellationToken);
}
