using RequestCoalescing.Engine;

namespace RequestCoalescing.Rollout;

/// <summary>
/// The run of a call that is not coalesced because of the rollout. Its work sees it as current until the key is forgotten. So work that fills a
/// cache only while its flight is current goes on filling it while coalescing is off.
/// </summary>
internal sealed class LoneFlight(FlightContext flight, ForgetLines lines, int hash) : IFlight, IStreamFlight
{
    private readonly long _line = lines.Read(hash);

    public CancellationToken CancellationToken => flight.CancellationToken;

    public bool IsCurrent => !flight.CancellationToken.IsCancellationRequested && lines.Read(hash) == _line;

    public int SubscriberCount => flight.SubscriberCount;

    TimeProvider IStreamFlight.Clock => flight.Stream!.Clock;

    bool IStreamFlight.IsJoinable => false;

    object IStreamFlight.GetStreamLineage(Func<object> create) => create();

    void IStreamFlight.StartStreaming() => flight.Stream!.StartStreaming();

    void IStreamFlight.CloseToJoiners()
    {
    }

    void IStreamFlight.ExpireIdle(TimeSpan maxIdle) => flight.Stream!.ExpireIdle(maxIdle);
}
