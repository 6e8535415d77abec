using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// Receives the events of flights, one call for each event, outside of every gate. An implementation must not throw, because subscribers wait
/// until it returns.
/// </summary>
internal abstract class FlightListener
{
    /// <summary>The <see cref="Flight.ListenerState"/> of a flight whose joins do not matter, except for their number.</summary>
    public static readonly object Indifferent = new();

    // Which joins of a flight matter for their number: those whose ordinal has none of these bits.
    private int _mask;

    /// <summary>Whether every join matters for its number. Otherwise, only one in sixteen does.</summary>
    protected bool CountsEveryJoin
    {
        set => _mask = value ? 0 : 15;
    }

    /// <summary>A follower has joined. Called in the follower's context.</summary>
    /// <param name="flight">The flight; it may have landed by now.</param>
    /// <param name="ordinal">A number that increases by one with each of the joins that are counted in the same place. The places begin with different numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // as Turnstile.Enter
    public void OnJoined(Flight flight, long ordinal)
    {
        var isCounted = (ordinal & _mask) == 0;
        if (isCounted || Volatile.Read(ref flight.ListenerState) != Indifferent) Joined(flight, isCounted);
    }

    /// <summary>The work is about to begin. Called in the flight's own context: async locals that are set here stay set for the work.</summary>
    /// <param name="flight">The flight.</param>
    /// <param name="leader">The leader's span, if the flight's context does not have it. Otherwise null.</param>
    public abstract void TakingOff(Flight flight, Activity? leader);

    /// <summary>A follower has joined that matters for its number, or because of the flight's <see cref="Flight.ListenerState"/>.</summary>
    /// <param name="flight">The flight.</param>
    /// <param name="isCounted">Whether it matters for its number. A count may read memory of every processor.</param>
    protected abstract void Joined(Flight flight, bool isCounted);

    /// <summary>The flight is over for its subscribers, which are about to be completed.</summary>
    /// <param name="flight">The flight.</param>
    /// <param name="outcome">How it ended.</param>
    /// <param name="subscribers">The number of subscribers that get the outcome.</param>
    /// <param name="error">The work's failure, or the timeout.</param>
    public abstract void Landed(Flight flight, FlightOutcome outcome, int subscribers, Exception? error);

    /// <summary>The maximum duration is over, and the work goes on without a subscriber.</summary>
    public abstract void Abandoned(Flight flight);

    /// <summary>Abandoned work has ended.</summary>
    public abstract void AbandonedEnded(Flight flight);
}
