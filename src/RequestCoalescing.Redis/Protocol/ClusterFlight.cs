namespace RequestCoalescing.Redis.Protocol;

/// <summary>A flight that this node leads for the cluster, as its work sees it.</summary>
internal sealed class ClusterFlight(FlightContext local, Lease lease, CancellationToken token) : IFlight
{
    public CancellationToken CancellationToken => token;

    public bool IsCurrent => local.IsCurrent && lease.IsHeld;

    public int SubscriberCount => local.SubscriberCount;
}
