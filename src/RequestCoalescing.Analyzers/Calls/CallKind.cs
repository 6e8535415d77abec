namespace RequestCoalescing.Analyzers.Calls;

/// <summary>What shares the work of a call.</summary>
internal enum CallKind
{
    /// <summary>A flight of this library.</summary>
    Flight,

    /// <summary>A cache that creates a missing entry: <c>HybridCache</c> or <c>IMemoryCache</c>.</summary>
    Cache,
}
