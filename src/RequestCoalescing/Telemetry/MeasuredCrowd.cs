using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// Callers that share one task, and whose waits are measured: those that have come on one thread. They get a task of the crowd's own. Each of them leaves
/// only the time of its arrival and its context, in which a listener sees its wait.
/// </summary>
/// <remarks>
/// Each thread remembers the crowds that it has made last, and only this thread adds callers to them. It and the thread that ends the crowd agree in one
/// atomic step on the number of callers.
/// </remarks>
internal sealed class MeasuredCrowd
{
    private const int Remembered = 64;
    private const int Ended = -1;

    [ThreadStatic]
    private static MeasuredCrowd?[]? s_recent;

    private CallerWaits? _waits;
    private Task? _shared;
    private Task? _outcome;
    private Chunk? _last;
    private int _count;

    private MeasuredCrowd(CallerWaits waits, Task shared, Task outcome) => (_waits, _shared, _outcome, _last) = (waits, shared, outcome, new Chunk(null));

    /// <summary>Adds a caller to a crowd of this thread.</summary>
    /// <param name="waits">Records the waits.</param>
    /// <param name="shared">The task that the caller shares with others.</param>
    /// <param name="start">When the caller came.</param>
    /// <returns>The task of the crowd. It gets the outcome of <paramref name="shared"/>.</returns>
    public static Task<TResult> Join<TResult>(CallerWaits waits, Task<TResult> shared, long start)
    {
        var recent = s_recent ??= new MeasuredCrowd?[Remembered];
        var place = shared.Id & (Remembered - 1);
        return Unsafe.As<Task<TResult>>(recent[place]?.TryAdd(waits, shared, start)) ?? Begin(waits, shared, start, out recent[place]);
    }

    private static Task<TResult> Begin<TResult>(CallerWaits waits, Task<TResult> shared, long start, out MeasuredCrowd crowd)
    {
        var completion = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = crowd = new MeasuredCrowd(waits, shared, completion.Task);
        begun.TryAdd(waits, shared, start);
        shared.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() => begun.End(shared, completion));
        return completion.Task;
    }

    private Task? TryAdd(CallerWaits waits, Task shared, long start)
    {
        var (outcome, last, count) = (Volatile.Read(ref _outcome), Volatile.Read(ref _last), Volatile.Read(ref _count));
        if (_shared != shared || _waits != waits || count == Ended) return null;
        if (count - last!.First == last.Callers.Length) _last = last = new Chunk(last);
        ref var caller = ref last.Callers[count - last.First];
        caller.Start = start;
        if (ExecutionContext.Capture() is { } context) caller.Context = context;
        if (Interlocked.CompareExchange(ref _count, count + 1, count) == count) return outcome;
        _last = null; // the crowd has ended meanwhile
        return null;
    }

    private void End<TResult>(Task<TResult> shared, TaskCompletionSource<TResult> completion)
    {
        var count = Interlocked.Exchange(ref _count, Ended);
        var (waits, last) = (_waits!, _last);
        (_waits, _shared, _outcome, _last) = (null, null, null, null); // the thread that has made this may remember it for long

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
