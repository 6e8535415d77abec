namespace RequestCoalescing.Testing;

/// <summary>As <see cref="FakeSingleflight{TKey}"/>, for keys that are strings. Pass it where an <see cref="ISingleflight"/> is needed.</summary>
/// <param name="options">The options of the engine inside. Null for the defaults. The object is copied.</param>
/// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
/// <exception cref="ArgumentException">Options contradict each other.</exception>
public sealed class FakeSingleflight(SingleflightOptions? options = null) : FakeSingleflight<string>(options), ISingleflight;
