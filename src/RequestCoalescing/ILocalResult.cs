namespace RequestCoalescing;

/// <summary>
/// Marks a type of results that mean something in their own process and for their own flight only. A decorator that sends, compares or repeats results
/// passes calls with such a result type straight to the <see cref="ISingleflight{TKey}"/> inside it. Over Redis, each node then has a flight of its own.
/// </summary>
public interface ILocalResult;
