namespace RequestCoalescing;

/// <summary>An <see cref="ISingleflight{TKey}"/> whose keys are strings, compared ordinally. Inject this one.</summary>
public interface ISingleflight : ISingleflight<string>;
