using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// A call whose wait is measured, from its arrival to its outcome. The wait of a call that a flight's work makes ends when the call has been
/// awaited and its outcome is known. If the work never awaits the call, it is not measured.
/// </summary>
internal sealed class MeasuredCall<TResult> : Relay<TResult>
{
    private readonly CallerWaits _waits;
    private readonly long _start;
    private readonly int _weight;

    public MeasuredCall(CallerWaits waits, long start, int weight, ValueTask<TResult> inner)
    {
        (_waits, _start, _weight) = (waits, start, weight);
        Start(inner, awaitsAtOnce: FlightScope.Current is null);
    }

    protected override void OnEnded() => _waits.Record(_start, _weight);
}
