using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>Every request queries the database.</summary>
internal sealed class NoDeduplication(QueryMeter database) : Strategy
{
    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken) =>
        await database.GetPostAsync(id, cancellationToken);
}
