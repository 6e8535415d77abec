using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Finds the coalesced calls of a compilation.</summary>
internal sealed class CoalescedCalls
{
    /// <summary>The setting that lets rules look at caches as well. Off by default.</summary>
    public const string CheckCaches = "requestcoalescing.check_caches";

    private static readonly string[] s_extensions = ["RequestCoalescing.SingleflightExtensions", "RequestCoalescing.SingleflightScopeExtensions"];

    private readonly INamedTypeSymbol? _singleflight;
    private readonly ImmutableArray<INamedTypeSymbol> _extensions;
    private readonly INamedTypeSymbol? _hybridCache;
    private readonly INamedTypeSymbol? _cacheExtensions;

    private CoalescedCalls(Compilation compilation, bool caches)
    {
        _singleflight = compilation.GetTypeByMetadataName("RequestCoalescing.ISingleflight`1");
        _extensions = [.. s_extensions.Select(compilation.GetTypeByMetadataName).OfType<INamedTypeSymbol>()];
        if (!caches) return;
        _hybridCache = compilation.GetTypeByMetadataName("Microsoft.Extensions.Caching.Hybrid.HybridCache");
        _cacheExtensions = compilation.GetTypeByMetadataName("Microsoft.Extensions.Caching.Memory.CacheExtensions");
    }

    /// <summary>Null if the compilation can have no such calls.</summary>
    public static CoalescedCalls? In(Compilation compilation, bool caches)
    {
        var calls = new CoalescedCalls(compilation, caches);
        return calls._singleflight is null && calls._hybridCache is null && calls._cacheExtensions is null ? null : calls;
    }

    /// <summary>The call, taken apart. Null if it is another call.</summary>
    public CoalescedCall? Find(IInvocationOperation invocation, AnalyzerOptions options) =>
        KindOf(invocation.TargetMethod) is not { } kind || (kind == CallKind.Cache && !ChecksCaches(options, invocation.Syntax.SyntaxTree))
            ? null
            : CoalescedCall.Of(invocation, kind, other => Find(other, options));

    private CallKind? KindOf(IMethodSymbol method) => method.Name switch
    {
        "ExecuteAsync" or "ExecuteInScopeAsync" when IsFlight(method.ContainingType) => CallKind.Flight,
        "GetOrCreateAsync" or "GetOrCreate" when IsCache(method.ContainingType) => CallKind.Cache,
        _ => null,
    };

    private bool IsFlight(INamedTypeSymbol type) =>
        Is(type, _singleflight) || _extensions.Any(extensions => Is(type, extensions)) || type.AllInterfaces.Any(candidate => Is(candidate, _singleflight));

    private bool IsCache(INamedTypeSymbol type)
    {
        if (Is(type, _cacheExtensions)) return true;
        for (var current = type; current is not null; current = current.BaseType)
        {
            if (Is(current, _hybridCache)) return true;
        }

        return false;
    }

    private static bool Is(INamedTypeSymbol type, INamedTypeSymbol? wanted) =>
        wanted is not null && SymbolEqualityComparer.Default.Equals(type.OriginalDefinition, wanted);

    public static bool ChecksCaches(AnalyzerOptions options, SyntaxTree tree) =>
        options.AnalyzerConfigOptionsProvider.GetOptions(tree).TryGetValue(CheckCaches, out var value) && bool.TryParse(value, out var on) && on;
}
