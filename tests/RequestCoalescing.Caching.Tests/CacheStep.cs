namespace RequestCoalescing.Caching.Tests;

/// <summary>
/// A step of a history. The number is a key, a tag, or one of the loads, callers or held calls that there are. The store of a load that succeeds, or a
/// removal, can be held up before it happens, after it, or both, until the history proceeds with it.
/// </summary>
internal sealed record CacheStep(CacheStepKind Kind, int Number = 0, HoldPoint Hold = HoldPoint.Nowhere);
