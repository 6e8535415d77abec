using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CacheWrittenBlindly;

/// <summary>Knows the calls that store a value in a cache.</summary>
internal static class CacheWrite
{
    public static bool Is(IInvocationOperation invocation, AnalyzerOptions options)
    {
        var method = invocation.TargetMethod;
        var cache = invocation.Instance?.Type ?? (method.IsExtensionMethod ? method.Parameters[0].Type : method.ContainingType);
        return method.Name switch
        {
            "Set" or "SetAsync" or "SetString" or "SetStringAsync" or "CreateEntry" => IsCache(cache),
            "GetOrCreate" or "GetOrCreateAsync" or "GetOrSet" or "GetOrSetAsync" => IsCache(cache) && CoalescedCalls.ChecksCaches(options, invocation.Syntax.SyntaxTree),
            _ => false,
        };
    }

    private static bool IsCache(ITypeSymbol type) =>
        type.Implements("Microsoft.Extensions.Caching.Memory", "IMemoryCache") ||
        type.Implements("Microsoft.Extensions.Caching.Distributed", "IDistributedCache") ||
        type.DerivesFrom("Microsoft.Extensions.Caching.Hybrid", "HybridCache") ||
        type.Implements("ZiggyCreatures.Caching.Fusion", "IFusionCache") ||
        type.DerivesFrom("System.Runtime.Caching", "ObjectCache");
}
