namespace RequestCoalescing;

/// <summary>
/// A run of work as the work may see it through its <see cref="FlightContext"/>: for those who write an
/// <see cref="ISingleflight{TKey}"/>. Members are called from any thread.
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
