namespace RequestCoalescing;

/// <summary>The engine for keys that are strings, compared ordinally.</summary>
/// <param name="options">The options. Null for the defaults. The object is copied, and later changes to it have no effect.</param>
/// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
/// <exception cref="ArgumentException">Options contradict each other.</exception>
public sealed class Singleflight(SingleflightOptions? options = null) : Singleflight<string>(options), ISingleflight;
