namespace RequestCoalescing;

/// <summary>
/// A flight as its work sees it through a <see cref="FlightContext"/>. Implement it if you write an <see cref="ISingleflight{TKey}"/>. Members
/// are called from any thread.
/// </summary>
public interface IFlight
{
    /// <inheritdoc cref="FlightContext.CancellationToken"/>
    CancellationToken CancellationToken { get; }

    /// <inheritdoc cref="FlightContext.IsCurrent"/>
    bool IsCurrent { get; }

    /// <inheritdoc cref="FlightContext.SubscriberCount"/>
    int SubscriberCount { get; }
}
