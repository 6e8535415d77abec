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
    /// The keys of the flights, each of which waits for the next one. The first and the last are the same. These are the keys themselves, for
    /// you to look at in a debugger; the message has them as logs show them.
    /// </summary>
    public IReadOnlyList<object> Keys { get; }

    /// <summary>
    /// The same flights, each as the name of its instance and its key as logs show it, which is as a hash unless <see cref="TelemetryOptions"/>
    /// say otherwise. Empty if they are not known.
    /// </summary>
    public IReadOnlyList<string> Flights { get; }

    /// <inheritdoc/>
    public override string Message => Flights.Count == 0
        ? "The work waits for the flight that it runs in."
        : $"The work waits for the flight that it runs in: {string.Join(" -> ", Flights)}.";
}
