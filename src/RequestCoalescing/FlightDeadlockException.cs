namespace RequestCoalescing;

/// <summary>The work of a flight waits for that flight, directly or through the work of other flights.</summary>
public sealed class FlightDeadlockException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="keys">The keys of the flights, each of which waits for the next one. The first and the last are the same.</param>
    public FlightDeadlockException(IReadOnlyList<object> keys)
        : this(keys, [])
    {
    }

    internal FlightDeadlockException(IReadOnlyList<object> keys, IReadOnlyList<string> flights) => (Keys, Flights) = (keys, flights);

    /// <summary>
    /// The keys of the flights, each of which waits for the next one. The first and the last are the same. These are the keys themselves, so that
    /// you can inspect them in a debugger. The message shows them as logs do.
    /// </summary>
    public IReadOnlyList<object> Keys { get; }

    /// <summary>
    /// The same flights, each as the name of its instance and its key. The key is shown as in logs: as a hash, unless
    /// <see cref="TelemetryOptions"/> choose otherwise. Empty if the flights are not known.
    /// </summary>
    public IReadOnlyList<string> Flights { get; }

    /// <inheritdoc/>
    public override string Message => Flights.Count == 0
        ? "The work waits for its own flight."
        : $"The work waits for its own flight: {string.Join(" -> ", Flights)}.";
}
