namespace RequestCoalescing.Rollout;

/// <summary>
/// The run of a call that coalescing was kept from. To its work it is current until its key is forgotten: a cache that is filled
/// by who flies currently goes on being filled while coalescing is off.
/// </summary>
internal sealed class LoneFlight(FlightContext flight, ForgetLines lines, int hash) : IFlight
{
    private readonly long _line = lines.Read(hash);

    public CancellationToken CancellationToken => flight.CancellationToken;

    public bool IsCurrent => !flight.CancellationToken.IsCancellationRequested && lines.Read(hash) == _line;

    public int SubscriberCount => flight.SubscriberCount;
}
