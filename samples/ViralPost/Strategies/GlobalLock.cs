using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache that only one request at a time may fill, for any post.</summary>
internal sealed class GlobalLock(QueryMeter database, Cache cache) : Strategy
{
    private readonly SemaphoreSlim _lock = new(1, 1);

    public override Cache Cache => cache;

    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        if (cache.TryGet(id, out var cached)) return cached;

        await _lock.WaitAsync(cancellationToken);
        try
        {
            if (cache.TryGet(id, out cached)) return cached;

            var post = await database.GetPostAsync(id, cancellationToken);
            cache.Set(id, post);
            return post;
        }
        finally
        {
            _lock.Release();
        }
    }

    public override void Dispose()
    {
        _lock.Dispose();
        base.Dispose();
    }
}
