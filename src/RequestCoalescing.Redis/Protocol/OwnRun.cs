namespace RequestCoalescing.Redis.Protocol;

/// <summary>Point 10: the flight of a node that makes an outcome of its own, because that of the leader could not be sent.</summary>
internal sealed class OwnRun(FlightContext flight, Participation participation, Entry entry) : IFlight
{
    public CancellationToken CancellationToken => flight.CancellationToken;

    public bool IsCurrent => flight.IsCurrent;

    public int SubscriberCount => flight.SubscriberCount;

    public async ValueTask<bool> ConfirmCurrentAsync() =>
        IsCurrent && await participation.UnlessForgottenAsync(entry.Token, entry.Until).ConfigureAwait(false) > entry.Until && IsCurrent;
}
