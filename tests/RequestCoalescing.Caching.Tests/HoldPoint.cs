namespace RequestCoalescing.Caching.Tests;

/// <summary>Whether a call of the inner cache is held up, and where.</summary>
internal enum HoldPoint
{
    Nowhere,
    Before,
    After,
}
