using System.Runtime.CompilerServices;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>
/// FusionCache. The leader scenario skips its memory cache. Followers need that cache, because they take turns and find the value there. No
/// value outlives its burst by much.
/// </summary>
public sealed class Fusion : Peer
{
    private readonly FusionCache _cache = new(new FusionCacheOptions());
    private readonly FusionCacheEntryOptions _uncached = new() { SkipMemoryCacheRead = true, SkipMemoryCacheWrite = true };
    private readonly FusionCacheEntryOptions _brief = new() { Duration = TimeSpan.FromSeconds(5) };

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        _cache.GetOrSetAsync<string>(key, static (_, _) => Task.FromResult(Value), default, _uncached, null, cancellationToken)!;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        _cache.GetOrSetAsync<string>(key, (_, _) => work, default, _brief, null, cancellationToken)!;
}
