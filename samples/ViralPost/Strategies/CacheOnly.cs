using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache; until it is filled, every request asks the database.</summary>
internal sealed class CacheOnly(PostDatabase database) : Strategy
{
    private readonly Cache _cache = new();

    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        if (_cache.TryGet(id, out var cached)) return cached;

        var post = await database.GetPostAsync(id, cancellationToken);
        _cache.Set(id, post);
        return post;
    }
}
