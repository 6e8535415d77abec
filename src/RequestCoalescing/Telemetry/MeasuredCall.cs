using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// A call whose wait is measured, from its arrival to its outcome: a leader's, or one that passes a decorator. A follower needs none. The wait of a call that a flight's work makes ends when the call has been
/// awaited and its outcome is known. If the work never awaits the call, it is not measured.
/// </summary>
internal sealed class MeasuredCall<TResult> : Relay<TResult>
{
    private readonly CallerWait _wait;

    public MeasuredCall(CallerWait wait, ValueTask<TResult> inner)
    {
        _wait = wait;
        Start(inner, awaitsAtOnce: FlightScope.Current is null);
    }

    protected override void OnEnded() => _wait.End();
}
