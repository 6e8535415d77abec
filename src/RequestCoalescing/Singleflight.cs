namespace RequestCoalescing;

/// <summary>The engine for keys that are strings, compared ordinally.</summary>
/// <param name="options">Limits and choices; null for the defaults. Copied: later changes to the object have no effect.</param>
/// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
/// <exception cref="ArgumentException">Options contradict each other.</exception>
public sealed class Singleflight(SingleflightOptions? options = null) : Singleflight<string>(options), ISingleflight;
