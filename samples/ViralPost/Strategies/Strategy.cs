using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A way to answer requests for posts.</summary>
internal abstract class Strategy : IDisposable
{
    private static readonly Dictionary<string, Func<PostDatabase, Func<ISingleflight<long>>, Strategy>> s_known = new()
    {
        ["none"] = (database, _) => new NoDeduplication(database),
        ["cache"] = (database, _) => new CacheOnly(database),
        ["global-lock"] = (database, _) => new GlobalLock(database),
        ["singleflight"] = (database, singleflight) => new Coalesced(database, singleflight()),
        ["cache+singleflight"] = (database, singleflight) => new CachedAndCoalesced(database, singleflight()),
    };

    public static IReadOnlyCollection<string> Names => s_known.Keys;

    /// <summary>What coalesces in it, if anything does.</summary>
    public virtual ISingleflight<long>? Singleflight => null;

    /// <summary>Makes a strategy; one that coalesces asks for what does it.</summary>
    public static Strategy Create(string name, PostDatabase database, Func<ISingleflight<long>> singleflight) => s_known[name](database, singleflight);

    public virtual void Dispose()
    {
    }

    public abstract ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken);
}
