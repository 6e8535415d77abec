using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// Callers that share one task, and whose waits are measured: those that have come on one thread. They get a task of the crowd's own. Each of them leaves
/// only the time of its arrival and its context, in which a listener sees its wait.
/// </summary>
/// <remarks>
/// Each thread remembers the crowds that it has made last, and only this thread adds callers to them. A caller has a place before it enters the flight, and
/// gives it back if the flight is closed. The thread that ends the crowd comes after the flight has been closed, and waits for a caller between the two steps.
/// </remarks>
internal sealed class MeasuredCrowd
{
    private const int Remembered = 64;

    [ThreadStatic]
    private static MeasuredCrowd?[]? s_recent;

    private CallerWaits? _waits;
    private Task? _shared;
    private Task? _outcome;
    private Chunk? _last;
    private int _placed;
    private int _entered;

    private MeasuredCrowd(CallerWaits waits, Task shared, Task outcome) => (_waits, _shared, _outcome, _last) = (waits, shared, outcome, new Chunk(null));

    /// <summary>Lets a caller enter a shared wait, as one of a crowd of this thread.</summary>
    /// <param name="waits">Records the waits.</param>
    /// <param name="shared">The shared wait.</param>
    /// <param name="start">When the caller came.</param>
    /// <param name="ordinal">See <see cref="Turnstile.Enter"/>.</param>
    /// <returns>The task of the crowd, which gets the outcome of the shared wait. Null if the shared wait is closed.</returns>
    public static Task<TResult>? Enter<TResult>(CallerWaits waits, SharedWait<TResult> shared, long start, out long ordinal)
    {
        var recent = s_recent ??= new MeasuredCrowd?[Remembered];
        var task = shared.Task;
        var index = task.Id & (Remembered - 1);
        if (recent[index] is { } crowd && crowd.Place(waits, task, start) is { } outcome)
        {
            ordinal = shared.Enter(); // a full fence
            crowd.OnEntered(ordinal > 0);
            return ordinal > 0 ? Unsafe.As<Task<TResult>>(outcome) : null;
        }

        ordinal = shared.Enter();
        return ordinal > 0 ? Begin(waits, task, start, out recent[index]) : null;
    }

    private static Task<TResult> Begin<TResult>(CallerWaits waits, Task<TResult> shared, long start, out MeasuredCrowd crowd)
    {
        var completion = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = crowd = new MeasuredCrowd(waits, shared, completion.Task);
        begun.Place(waits, shared, start);
        begun.OnEntered(true);
        shared.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() => begun.End(shared, completion));
        return completion.Task;
    }

    private Task? Place(CallerWaits waits, Task shared, long start)
    {
        var (outcome, last, placed) = (Volatile.Read(ref _outcome), Volatile.Read(ref _last), _placed);
        if (Volatile.Read(ref _shared) != shared || _waits != waits) return null; // if it is still set, the crowd had not ended when the fields above were read
        if (placed - last!.First == last.Callers.Length) Volatile.Write(ref _last, last = new Chunk(last));
        last.Callers[placed - last.First] = (start, ExecutionContext.Capture());
        Volatile.Write(ref _placed, placed + 1);
        return outcome;
    }

    private void OnEntered(bool hasEntered)
    {
        if (hasEntered)
        {
            Volatile.Write(ref _entered, _placed);
            return;
        }

        Volatile.Write(ref _placed, _entered);
        if (Volatile.Read(ref _shared) is null) _last = null; // the crowd has ended meanwhile
    }

    private void End<TResult>(Task<TResult> shared, TaskCompletionSource<TResult> completion)
    {
        var spinner = default(SpinWait);
        int count;
        while ((count = Volatile.Read(ref _entered)) != Volatile.Read(ref _placed)) spinner.SpinOnce();
        var (waits, last) = (_waits!, _last);

        // The thread that has made this may remember it for long. It reads these fields in the opposite order.
        _shared = null;
        Volatile.Write(ref _last, null);
        Volatile.Write(ref _outcome, null);
        _waits = null;

        // Before a caller goes on: it may stop the listener, and its context may block.
        for (var end = waits.NowOrNull(); last is not null && end is not null; last = last.Previous)
        {
            waits.Record(last.Callers.AsSpan(0, Math.Clamp(count - last.First, 0, last.Callers.Length)), end.Value);
        }

        completion.SetFromTask(shared);
        Outcome.Observe(completion.Task);
    }

    private sealed class Chunk(Chunk? previous)
    {
        private const int MaxCallers = 1_024;

        public readonly Chunk? Previous = previous;
        public readonly int First = previous is null ? 0 : previous.First + previous.Callers.Length;
        public readonly (long Start, ExecutionContext? Context)[] Callers = new (long, ExecutionContext?)[previous is null ? 4 : Math.Min(2 * previous.Callers.Length, MaxCallers)];
    }
}
