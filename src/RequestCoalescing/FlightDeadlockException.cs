namespace RequestCoalescing;

/// <summary>Work waits, directly or through other flights, for the flight it runs in.</summary>
public sealed class FlightDeadlockException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="keys">The keys of the flights, each of which waits for the next; the first and the last are the same.</param>
    public FlightDeadlockException(IReadOnlyList<object> keys)
        : base($"The work waits for the flight it runs in: {string.Join(" -> ", keys)}.") => Keys = keys;

    /// <summary>The keys of the flights, each of which waits for the next; the first and the last are the same.</summary>
    public IReadOnlyList<object> Keys { get; }
}
