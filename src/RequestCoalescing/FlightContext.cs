namespace RequestCoalescing;

/// <summary>The work's view of its flight.</summary>
/// <param name="flight">The flight.</param>
/// <remarks>The default value stands for no flight. It is not current, and has neither subscribers nor a token.</remarks>
public readonly struct FlightContext(IFlight flight)
{
    /// <summary>The flight's own token. It fires when the last subscriber has left, when the flight has expired, or when its engine is disposed.</summary>
    public CancellationToken CancellationToken => flight?.CancellationToken ?? default;

    /// <summary>
    /// Whether new callers of the key would still join this flight. Once false, it stays false. Check it before you store the result anywhere:
    /// the result of a flight that was forgotten, superseded or cancelled, or that runs alone, must not be stored.
    /// </summary>
    /// <example>
    /// <code>
    /// var post = await singleflight.ExecuteAsync(
    ///     id,
    ///     async (FlightContext flight) =>
    ///     {
    ///         var loaded = await database.LoadPostAsync(id, flight);
    ///         if (flight.IsCurrent) cache.Set(id, loaded, TimeSpan.FromMinutes(1));
    ///         return loaded;
    ///     },
    ///     cancellationToken);
    /// </code>
    /// </example>
    public bool IsCurrent => flight?.IsCurrent ?? false;

    /// <summary>Converts to the flight's own token, so that a flight can be passed where a token is expected.</summary>
    /// <param name="flight">The flight.</param>
    public static implicit operator CancellationToken(FlightContext flight) => flight.CancellationToken;

    /// <summary>How many subscribers wait for the outcome now. The leader is one of them.</summary>
    public int SubscriberCount => flight?.SubscriberCount ?? 0;

    /// <summary>Whether the flight runs for one caller alone because a limit is reached. No other caller can join it, and it is never current.</summary>
    public bool IsAlone => flight?.IsAlone ?? false;

    /// <summary>Whether this is a view of the given flight.</summary>
    internal bool IsOf(IFlight other) => flight == other;

    /// <summary>The flight, if it can go on after its subscribers have got the beginning of a stream.</summary>
    internal Engine.IStreamFlight? Stream => flight as Engine.IStreamFlight;

    /// <summary>
    /// As <see cref="IsCurrent"/>, but a flight of a cluster asks the cluster, because the message of a forget may still be on its way to this node.
    /// Ask after you have stored the result where other nodes can read it, and remove it again if the answer is false.
    /// </summary>
    /// <returns>
    /// Whether the flight is certainly current. False also if the cluster cannot be reached. A flight that runs without a lease during an outage does not ask.
    /// </returns>
    public ValueTask<bool> ConfirmCurrentAsync() => flight?.ConfirmCurrentAsync() ?? new(false);
}
