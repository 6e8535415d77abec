namespace RequestCoalescing;

/// <summary>What the work sees of its flight.</summary>
/// <param name="flight">The flight.</param>
/// <remarks>The default value stands for no flight: not current, without subscribers or a token.</remarks>
public readonly struct FlightContext(IFlight flight)
{
    /// <summary>The flight's own token: fires when the last subscriber has left, the flight has expired or its engine is disposed.</summary>
    public CancellationToken CancellationToken => flight?.CancellationToken ?? default;

    /// <summary>
    /// Whether this is still the flight that new callers of its key would join. Once false it stays so. Ask it before the result
    /// is stored anywhere: a flight that was forgotten, superseded or cancelled, or that runs alone, has nothing to store.
    /// </summary>
    public bool IsCurrent => flight?.IsCurrent ?? false;

    /// <summary>The flight's own token, so that a flight can be handed on where its token is wanted.</summary>
    /// <param name="flight">The flight.</param>
    public static implicit operator CancellationToken(FlightContext flight) => flight.CancellationToken;

    /// <summary>How many subscribers wait for the outcome now, the leader included.</summary>
    public int SubscriberCount => flight?.SubscriberCount ?? 0;
}
