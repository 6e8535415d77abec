using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// Callers that share one task, and whose waits are measured: those that have come on one thread. They get a task of the crowd's own. Each of them leaves
/// nothing but the time of its arrival.
/// </summary>
/// <remarks>
/// Each thread remembers the crowds that it has made last, and only this thread adds callers to them. It and the thread that ends the crowd agree in one
/// atomic step on the number of callers.
/// </remarks>
internal sealed class MeasuredCrowd
{
    private const int Remembered = 8;
    private const int Ended = -1;

    [ThreadStatic]
    private static MeasuredCrowd?[]? s_recent;

    private readonly CallerWaits _waits;
    private Task? _shared;
    private Task? _outcome;
    private Arrivals? _last = new(previous: null);
    private int _count = 1;

    private MeasuredCrowd(CallerWaits waits, Task shared, Task outcome, long start)
    {
        (_waits, _shared, _outcome) = (waits, shared, outcome);
        _last.Times[0] = start;
    }

    /// <summary>Adds a caller to a crowd of this thread.</summary>
    /// <param name="waits">Records the waits. The same for all callers of the task.</param>
    /// <param name="shared">The task that the caller shares with others.</param>
    /// <param name="start">When the caller came.</param>
    /// <returns>The task of the crowd. It gets the outcome of <paramref name="shared"/>.</returns>
    public static Task<TResult> Join<TResult>(CallerWaits waits, Task<TResult> shared, long start)
    {
        ref var recent = ref (s_recent ??= new MeasuredCrowd?[Remembered])[shared.Id & (Remembered - 1)];
        if (recent?.TryAdd(shared, start) is { } outcome) return Unsafe.As<Task<TResult>>(outcome);
        recent = Begin(waits, shared, start, out var ofNewCrowd);
        return ofNewCrowd;
    }

    private static MeasuredCrowd Begin<TResult>(CallerWaits waits, Task<TResult> shared, long start, out Task<TResult> outcome)
    {
        var completion = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var crowd = new MeasuredCrowd(waits, shared, completion.Task, start);
        shared.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() => crowd.End(shared, completion));
        outcome = completion.Task;
        return crowd;
    }

    private Task? TryAdd(Task shared, long start)
    {
        var (outcome, last, count) = (Volatile.Read(ref _outcome), Volatile.Read(ref _last), Volatile.Read(ref _count));
        if (_shared != shared || count == Ended) return null;
        if (count - last!.First == last.Times.Length) _last = last = new Arrivals(last);
        last.Times[count - last.First] = start;
        return Interlocked.CompareExchange(ref _count, count + 1, count) == count ? outcome : null;
    }

    private void End<TResult>(Task<TResult> shared, TaskCompletionSource<TResult> completion)
    {
        var count = Interlocked.Exchange(ref _count, Ended);
        var last = _last;
        (_shared, _outcome, _last) = (null, null, null); // the thread that has made this may remember it for long

        var end = _waits.NowOrNull(); // before a caller goes on
        completion.SetFromTask(shared);
        Outcome.Observe(completion.Task);
        for (; last is not null && end is not null; last = last.Previous) _waits.Record(last.Times.AsSpan(0, Math.Clamp(count - last.First, 0, last.Times.Length)), end.Value);
    }

    private sealed class Arrivals(Arrivals? previous)
    {
        private const int MaxTimes = 1_024;

        public readonly Arrivals? Previous = previous;
        public readonly int First = previous is null ? 0 : previous.First + previous.Times.Length;
        public readonly long[] Times = new long[previous is null ? 4 : Math.Min(2 * previous.Times.Length, MaxTimes)];
    }
}
