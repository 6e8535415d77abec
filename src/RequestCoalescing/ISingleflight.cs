namespace RequestCoalescing;

/// <summary>An <see cref="ISingleflight{TKey}"/> whose keys are strings, compared ordinally: what dependency injection hands out.</summary>
public interface ISingleflight : ISingleflight<string>;
