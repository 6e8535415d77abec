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

    /// <summary>Whether the flight runs for one caller alone because a limit is reached. By default, it does not.</summary>
    bool IsAlone => false;

    /// <summary>As <see cref="IsCurrent"/>, after the cluster was asked. By default, there is no cluster, and the answer is <see cref="IsCurrent"/>.</summary>
    ValueTask<bool> ConfirmCurrentAsync() => new(IsCurrent);
}
