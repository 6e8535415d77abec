using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A cache that one request at a time may fill, whichever post it is for.</summary>
internal sealed class GlobalLock(PostDatabase database) : Strategy
{
    private readonly Cache _cache = new();
    private readonly SemaphoreSlim _lock = new(1, 1);

    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        if (_cache.TryGet(id, out var cached)) return cached;

        await _lock.WaitAsync(cancellationToken);
        try
        {
            if (_cache.TryGet(id, out cached)) return cached;

            var post = await database.GetPostAsync(id, cancellationToken);
            _cache.Set(id, post);
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
