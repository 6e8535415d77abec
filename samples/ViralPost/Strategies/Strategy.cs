using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A way to answer requests for posts.</summary>
internal abstract class Strategy : IAsyncDisposable
{
    private static readonly Dictionary<string, Func<PostDatabase, Strategy>> s_known = new()
    {
        ["none"] = database => new NoDeduplication(database),
        ["cache"] = database => new CacheOnly(database),
        ["global-lock"] = database => new GlobalLock(database),
        ["singleflight"] = database => new Coalesced(database),
        ["cache+singleflight"] = database => new CachedAndCoalesced(database),
    };

    public static IReadOnlyCollection<string> Names => s_known.Keys;

    /// <summary>What coalesces in it, if anything does.</summary>
    public virtual ISingleflight<long>? Singleflight => null;

    public static Strategy Create(string name, PostDatabase database) => s_known[name](database);

    public abstract ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken);

    public virtual ValueTask DisposeAsync() => (Singleflight as IAsyncDisposable)?.DisposeAsync() ?? default;
}
