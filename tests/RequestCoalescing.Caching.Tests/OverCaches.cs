using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Caching.Tests;

public sealed class OverHybridCacheTests : CoalescedCacheTests
{
    protected override void AddInner(IServiceCollection services) => services.AddHybridCache();
}

public sealed class OverFusionCacheTests : CoalescedCacheTests
{
    protected override void AddInner(IServiceCollection services) => services.AddFusionCache().AsHybridCache();
}
