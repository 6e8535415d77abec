namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Says whether a flight or a cache shares the work of a call.</summary>
internal enum CallKind
{
    /// <summary>A flight of this library.</summary>
    Flight,

    /// <summary>A cache that creates a missing entry: <c>HybridCache</c> or <c>IMemoryCache</c>.</summary>
    Cache,
}
