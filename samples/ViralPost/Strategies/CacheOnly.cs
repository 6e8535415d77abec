using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache alone. While it has no entry, every request queries the database.</summary>
internal sealed class CacheOnly(QueryMeter database, Cache cache) : Strategy
{
    public override Cache Cache => cache;

    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        if (cache.TryGet(id, out var cached)) return cached;

        var post = await database.GetPostAsync(id, cancellationToken);
        cache.Set(id, post);
        return post;
    }
}
