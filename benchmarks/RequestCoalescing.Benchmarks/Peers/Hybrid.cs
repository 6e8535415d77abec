using System.Runtime.CompilerServices;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>Microsoft.Extensions.Caching.Hybrid without its caches, so that only its stampede protection is left.</summary>
public sealed class Hybrid : Peer
{
    private static readonly HybridCacheEntryOptions s_options = new()
    {
        Flags = HybridCacheEntryFlags.DisableLocalCache | HybridCacheEntryFlags.DisableDistributedCache,
    };

    private readonly HybridCache _cache;

    public Hybrid()
    {
        var services = new ServiceCollection();
        services.AddHybridCache();
        _cache = services.BuildServiceProvider().GetRequiredService<HybridCache>();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        _cache.GetOrCreateAsync(key, static _ => new ValueTask<string>(Value), s_options, null, cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        _cache.GetOrCreateAsync(key, work, static (work, _) => new ValueTask<string>(work), s_options, null, cancellationToken);
}
