using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>Knows which flight's work the current code belongs to.</summary>
internal static class FlightScope
{
    private static readonly AsyncLocal<object?> s_current = new(); // a Flight. An async local of objects needs no cast, which would cost a call
    private static readonly Lazy<ExecutionContext> s_empty = new(CaptureEmpty);

    /// <summary>A context without async locals.</summary>
    public static ExecutionContext Empty => s_empty.Value;

    /// <summary>The flight whose work calls this. Null outside of any work, and in a task that the work has started and that outlives it.</summary>
    public static Flight? Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] // as Turnstile.Enter
        get => s_current.Value is { } flight ? IfItsWorkCalls(Unsafe.As<Flight>(flight)) : null;
    }

    /// <summary>
    /// Lets the current async method be part of the work of a flight. A batch runs for many flights, and is part of the work of one of them. Call it on a
    /// thread without a context.
    /// </summary>
    public static void Enter(Flight flight) => s_current.Value = flight;

    /// <summary>Starts the work in the context that the options ask for. The caller's own context does not change.</summary>
    public static ValueTask<TResult> Start<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        if (SynchronizationContext.Current is not null || TaskScheduler.Current != TaskScheduler.Default) return StartDetached(flight, state, work);

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

    /// <summary>Throws if the work of one of the engine's flights calls this, because it would wait for itself.</summary>
    public static void ThrowIfInFlightOf(IEngine engine)
    {
        if (Current is { Shard.Settings.DetectDeadlocks: true, KeyObject: { } key } flight && flight.Shard.Settings == engine.Settings)
        {
            throw DeadlockOf([(flight, key), (flight, key)]);
        }
    }

    /// <summary>Returns the error of work that waits for itself.</summary>
    public static FlightDeadlockException DeadlockOf(IReadOnlyList<(Flight Flight, object Key)> circle) => new(
        [.. circle.Select(each => each.Key)],
        [.. circle.Select(each => $"'{each.Flight.Shard.Settings.Name}' {each.Flight.Shard.Settings.LabelOf(each.Key)}")]);

    private static Flight? IfItsWorkCalls(Flight flight) =>
        flight.State is FlightState.InFlight or FlightState.Cancelled && !ExecutionContext.IsFlowSuppressed() ? flight : null;

    // The flight belongs to no caller: its work resumes neither in the leader's synchronization context nor on its task scheduler.
    private static ValueTask<TResult> StartDetached<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var leaders = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            if (TaskScheduler.Current == TaskScheduler.Default) return Start(flight, state, work);
            var start = new Task<ValueTask<TResult>>(() => Start(flight, state, work));
            start.RunSynchronously(TaskScheduler.Default); // on this thread
            return start.GetAwaiter().GetResult();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(leaders);
        }
    }

    // Work that returns the task of another flight waits for it. The await must happen in the work's own flow, where deadlock detection sees it.
    private static ValueTask<TResult> AsTaskWithin<TResult>(ValueTask<TResult> pending) =>
        pending.IsCompleted ? pending : new(pending.AsTask());

    private static ValueTask<TResult> StartInEmptyContext<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var call = new Call<TState, TResult>(flight, state, work);
        ExecutionContext.Run(Empty, static call => ((Call<TState, TResult>)call!).Run(), call);
        return new(call.Pending!);
    }

    private static ExecutionContext CaptureEmpty()
    {
        ExecutionContext? empty = null;
        var thread = new Thread(() => empty = ExecutionContext.Capture());
        thread.UnsafeStart(); // it starts without the execution context of this thread
        thread.Join();
        return empty!;
    }

    private sealed class Call<TState, TResult>(
        Flight flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        // The leader's span is for the listener. The work does not see it.
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
