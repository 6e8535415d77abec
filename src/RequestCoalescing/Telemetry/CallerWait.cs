using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>The wait of one caller, from its arrival. The default value is a wait that is not measured.</summary>
internal readonly struct CallerWait
{
    private readonly CallerWaits? _waits;
    private readonly long _start;
    private readonly int _weight;

    private CallerWait(CallerWaits waits, long start, int weight) => (_waits, _start, _weight) = (waits, start, weight);

    public bool IsMeasured => _waits is not null;

    /// <summary>Begins the wait of a caller that arrives now. It is not measured if nothing asks for it, or if the clock throws.</summary>
    public static CallerWait Begin(CallerWaits waits) =>
        waits.IsMeasured(out var weight) && waits.NowOrNull() is { } start ? new(waits, start, weight) : default;

    /// <summary>Records the wait, which ends now.</summary>
    public void End() => _waits?.Record(_start, _weight);

    /// <summary>Measures the wait for a call.</summary>
    public ValueTask<TResult> For<TResult>(ValueTask<TResult> call)
    {
        if (_waits is null) return call;
        if (!call.IsCompletedSuccessfully) return new MeasuredCall<TResult>(this, call).Call;
        End();
        return call;
    }

    /// <summary>Lets the caller enter a shared wait, which is open.</summary>
    /// <returns>What the caller awaits, and whether its wait is measured already.</returns>
    public (Task<TResult> Task, bool IsMeasured) Enter<TResult>(SharedWait<TResult> shared)
    {
        if (_waits is { HaveListener: true }) return (MeasuredCrowd.Enter(_waits, shared, _start, out _)!, true);
        shared.Enter();
        return (shared.Task, false);
    }
}
