using System.Diagnostics;

namespace RequestCoalescing.Engine;

/// <summary>
/// Which flight's work the current flow of control belongs to, and which flights' work waits for which other flight: a graph
/// over all engines of the process, in which a wait that would close a circle is refused.
/// </summary>
internal static class Lineage
{
    private static readonly AsyncLocal<Flight?> s_current = new();
    private static readonly Lazy<ExecutionContext> s_empty = new(CaptureEmpty);

    // Only work that waits for another flight is in here, for as long as it waits.
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<Flight, List<Subscriber>> s_waits = [];
    private static readonly Dictionary<Subscriber, Flight> s_works = [];

    /// <summary>The flight whose work this is; null outside of any.</summary>
    public static Flight? Current => s_current.Value is { } flight && !ExecutionContext.IsFlowSuppressed() ? flight : null;

    /// <summary>The call as a task that does not count as waited for, whoever awaits it.</summary>
    public static Task<TResult> AsUnwatchedTask<TResult>(ValueTask<TResult> call)
    {
        if (Current is null) return call.AsTask();
        using (ExecutionContext.SuppressFlow()) return call.AsTask();
    }

    /// <summary>Starts the work in the context that the options ask for, and leaves the caller's as it was.</summary>
    public static ValueTask<TResult> Start<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        if (SynchronizationContext.Current is not null) return StartDetached(flight, state, work);

        var settings = flight.Shard.Settings;
        if (settings.ContextFlow == ContextFlow.Suppress || ExecutionContext.Capture() is not { } outer)
        {
            return StartInEmptyContext(flight, state, work);
        }

        s_current.Value = flight;
        try
        {
            settings.Listener?.TakingOff(flight, leader: null);
            return AsTaskWithin(work(state, new FlightContext(flight)));
        }
        finally
        {
            ExecutionContext.Restore(outer);
        }
    }

    /// <summary>Notes that the work of a flight waits as this subscriber. Under the gate of the subscriber's flight.</summary>
    /// <returns>Null; or, if it would wait for itself and nothing was noted, the circle of flights, each of which waits for the next.</returns>
    public static List<Flight>? Add(Flight work, Subscriber subscriber)
    {
        lock (s_gate)
        {
            if (FindPath(subscriber.Flight!, work) is { } path)
            {
                path.Insert(0, work);
                return path;
            }

            if (!s_waits.TryGetValue(work, out var waits)) s_waits.Add(work, waits = []);
            waits.Add(subscriber);
            s_works.Add(subscriber, work);
            return null;
        }
    }

    /// <summary>The wait is over.</summary>
    public static void Remove(Subscriber subscriber)
    {
        lock (s_gate)
        {
            if (!s_works.Remove(subscriber, out var work)) return;
            var waits = s_waits[work];
            waits.Remove(subscriber);
            if (waits.Count == 0) s_waits.Remove(work);
        }
    }

    /// <summary>Throws if this is the work of a flight of one of the shards, which therefore cannot be waited for from here.</summary>
    public static void ThrowIfInFlightOf(Shard[] shards)
    {
        if (Current is { State: FlightState.InFlight or FlightState.Cancelled, Shard.Settings.DetectDeadlocks: true } flight && Array.IndexOf(shards, flight.Shard) >= 0)
        {
            throw new FlightDeadlockException([flight.KeyObject, flight.KeyObject]);
        }
    }

    // Breadth first. A flight that is closed keeps nobody waiting any more, whatever its work still waits for.
    private static List<Flight>? FindPath(Flight start, Flight goal)
    {
        if (start == goal) return [goal];
        if (s_waits.Count == 0) return null;

        var cameFrom = new Dictionary<Flight, Flight?> { [start] = null };
        var queue = new Queue<Flight>([start]);
        while (queue.TryDequeue(out var flight))
        {
            if (!s_waits.TryGetValue(flight, out var waits)) continue;
            foreach (var wait in waits)
            {
                if (wait.Flight is not { State: FlightState.InFlight } next || !cameFrom.TryAdd(next, flight)) continue;
                if (next == goal) return Unwind(cameFrom, goal);
                queue.Enqueue(next);
            }
        }

        return null;
    }

    private static List<Flight> Unwind(Dictionary<Flight, Flight?> cameFrom, Flight goal)
    {
        var path = new List<Flight>();
        for (var flight = goal; flight is not null; flight = cameFrom[flight]) path.Add(flight);
        path.Reverse();
        return path;
    }

    // The flight belongs to no caller: its work does not resume where the leader does.
    private static ValueTask<TResult> StartDetached<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var leaders = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            return Start(flight, state, work);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(leaders);
        }
    }

    // Work that hands back the task of another flight waits for it, and has to be seen to do so while it is known whose work it is.
    private static ValueTask<TResult> AsTaskWithin<TResult>(ValueTask<TResult> pending) =>
        pending.IsCompleted ? pending : new(pending.AsTask());

    private static ValueTask<TResult> StartInEmptyContext<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var call = new Call<TState, TResult>(flight, state, work);
        ExecutionContext.Run(s_empty.Value, static call => ((Call<TState, TResult>)call!).Run(), call);
        return new(call.Pending!);
    }

    private static ExecutionContext CaptureEmpty()
    {
        ExecutionContext? empty = null;
        var thread = new Thread(() => empty = ExecutionContext.Capture());
        thread.UnsafeStart(); // one that starts without its starter's context
        thread.Join();
        return empty!;
    }

    private sealed class Call<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        // A listener may need to know who leads; the work does not get to see it.
        private readonly Activity? _leader = flight.Shard.Settings.Listener is null ? null : Activity.Current;

        public Task<TResult>? Pending { get; private set; }

        public void Run()
        {
            s_current.Value = flight;
            flight.Shard.Settings.Listener?.TakingOff(flight, _leader);
            Pending = work(state, new FlightContext(flight)).AsTask();
        }
    }
}
