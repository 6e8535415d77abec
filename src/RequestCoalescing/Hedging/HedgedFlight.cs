using RequestCoalescing.Engine;

namespace RequestCoalescing.Hedging;

/// <summary>A flight as one of its two runs sees it. Its token fires also when the other run has won.</summary>
internal sealed class HedgedFlight(FlightContext outer) : CancellationTokenSource, IFlight
{
    CancellationToken IFlight.CancellationToken => Token;

    bool IFlight.IsCurrent => !IsCancellationRequested && outer.IsCurrent;

    int IFlight.SubscriberCount => outer.SubscriberCount;

    bool IFlight.IsAlone => outer.IsAlone;

    async ValueTask<bool> IFlight.ConfirmCurrentAsync() => await outer.ConfirmCurrentAsync().ConfigureAwait(false) && !IsCancellationRequested;

    /// <summary>Lets the token fire with that of the flight, until the result is disposed of.</summary>
    public CancellationTokenRegistration LinkToOuter() => outer.CancellationToken.UnsafeRegister(static flight => ((HedgedFlight)flight!).Stop(), this);

    /// <summary>Fires the token. What the work has registered with it runs on the thread pool, and cannot harm the flight.</summary>
    public void Stop() => _ = Outcome.ObserveAtEnd(CancelAsync());
}
