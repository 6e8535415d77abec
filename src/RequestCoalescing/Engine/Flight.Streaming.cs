using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <content>A flight that streams. It leaves the list that the timer looks at.</content>
internal abstract partial class Flight
{
    // A table, because most flights do not stream, and each must be small. The lineages are kept alive by their callers only: a loop that the source has
    // started may keep the flight alive for long, through its execution context.
    private static readonly ConditionalWeakTable<Flight, WeakReference<object>> s_lineages = [];

    TimeProvider IStreamFlight.Clock => Shard.Settings.Clock;

    bool IStreamFlight.IsJoinable => Volatile.Read(ref IsCurrent);

    object IStreamFlight.GetStreamLineage(Func<object> create)
    {
        lock (Shard.Gate)
        {
            if (s_lineages.TryGetValue(this, out var known) && known.TryGetTarget(out var lineage)) return lineage;
            lineage = create();
            s_lineages.AddOrUpdate(this, new WeakReference<object>(lineage));
            return lineage;
        }
    }

    void IStreamFlight.StartStreaming()
    {
        lock (Shard.Gate)
        {
            if (IsStreaming || State is not (FlightState.InFlight or FlightState.Cancelled)) return;
            Shard.RemoveAirborne(this, isMoved: true);
            IsStreaming = true;
            Shard.AddStreaming(this);
        }
    }

    void IStreamFlight.CloseToJoiners()
    {
        lock (Shard.Gate) CloseToJoiners();
    }

    void IStreamFlight.ExpireIdle(TimeSpan maxIdle)
    {
        FlightTimeoutException timeout;
        bool hadSubscribers;
        lock (Shard.Gate)
        {
            if (State is not (FlightState.InFlight or FlightState.Cancelled)) return;
            hadSubscribers = State == FlightState.InFlight;
            var settings = Shard.Settings;
            timeout = new FlightTimeoutException(settings.Name, settings.LabelOf(KeyObject!), maxIdle, settings.Clock.GetElapsedTime(TakenOffAt), CloseToJoiners()) { IsIdle = true };
            Expire(timeout);
        }

        OnExpired(timeout, hadSubscribers);
    }

    // Under the gate.
    private void MoveStream(Flight successor)
    {
        if (s_lineages.TryGetValue(this, out var lineage)) s_lineages.Add(successor, lineage);
    }
}
