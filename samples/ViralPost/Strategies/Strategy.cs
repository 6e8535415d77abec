using RequestCoalescing;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>A way to answer requests for posts.</summary>
internal abstract class Strategy : IDisposable
{
    /// <summary>How long a cache keeps a post, unless the scenario sets a lifetime.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    public static IReadOnlyList<string> Names { get; } = ["none", "cache", "global-lock", "singleflight", "cache+singleflight"];

    /// <summary>The cache of the strategy. Null if it has none.</summary>
    public virtual Cache? Cache => null;

    public static bool HasCache(string name) => name is "cache" or "global-lock" or "cache+singleflight";

    /// <summary>Creates a strategy. A strategy that coalesces calls <paramref name="singleflight"/> for its instance.</summary>
    public static Strategy Create(string name, QueryMeter database, Func<ISingleflight<long>> singleflight, TimeSpan lifetime) => name switch
    {
        "none" => new NoDeduplication(database),
        "cache" => new CacheOnly(database, new Cache(lifetime)),
        "global-lock" => new GlobalLock(database, new Cache(lifetime)),
        "singleflight" => new Coalesced(database, singleflight()),
        "cache+singleflight" => new CachedAndCoalesced(database, new Cache(lifetime), singleflight()),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "No strategy has this name."),
    };

    public virtual void Dispose()
    {
    }

    public abstract ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken);
}
