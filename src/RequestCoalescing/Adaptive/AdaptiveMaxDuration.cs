using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Adaptive;

/// <summary>Derives the maximum duration of an instance's flights from the durations of its recent ones, in a sliding window.</summary>
/// <remarks>
/// Flights that time out count with the time that they had. Otherwise, a backend that has become slower than the maximum duration would have no
/// flights that count, and the maximum duration would never grow again.
/// </remarks>
internal sealed class AdaptiveMaxDuration
{
    // The window moves in steps.
    private const int Steps = 10;

    private readonly TimeProvider _clock;
    private readonly Lock _gate = new();
    private readonly LatencyHistogram _durations = new();
    private readonly Queue<(long At, long[] Counts)> _steps = new();
    private long _stepAt;
    private TimeSpan? _p99; // null if there were too few flights

    public AdaptiveMaxDuration(AdaptiveMaxDurationOptions options, TimeProvider clock)
    {
        (Options, _clock) = (options, clock);
        EndStep(clock.GetTimestamp());
    }

    public AdaptiveMaxDurationOptions Options { get; set; }

    /// <summary>Called when the maximum duration may have changed, on the thread of the flight that has caused it.</summary>
    public Action? Changed { get; set; }

    /// <summary>Returns the maximum duration, given its ceiling.</summary>
    public TimeSpan Under(TimeSpan ceiling)
    {
        var options = Options;
        TimeSpan? p99;
        lock (_gate) p99 = _p99;
        if (p99 is not { } duration || duration >= LatencyHistogram.Largest) return ceiling;
        var proposed = options.Factor * duration;
        if (proposed < options.Floor) proposed = options.Floor;
        return proposed < ceiling ? proposed : ceiling;
    }

    /// <summary>Counts a flight that has succeeded or timed out.</summary>
    public void Record(TimeSpan duration)
    {
        _durations.Record(duration);
        Look(_clock.GetTimestamp());
    }

    /// <summary>Moves the window if a step is over. Take-offs call it too: after an idle time, the flights before it no longer count.</summary>
    /// <param name="now">The time, as a timestamp of the clock.</param>
    public void Look(long now)
    {
        if (!IsDue(now)) return;
        lock (_gate)
        {
            if (!IsDue(now)) return;
            var before = _p99;
            EndStep(now);
            if (_p99 == before) return;
        }

        Changed?.Invoke();
    }

    private bool IsDue(long now) => _clock.GetElapsedTime(Volatile.Read(ref _stepAt), now) >= Options.Window / Steps;

    private void EndStep(long now)
    {
        // The first one that stays is the latest that is as old as the window.
        while (_steps.Count > 1 && _clock.GetElapsedTime(_steps.ElementAt(1).At, now) >= Options.Window) _steps.Dequeue();
        var counts = _durations.Snapshot(before: null);
        var recent = _steps.TryPeek(out var oldest) ? LatencyHistogram.Between(oldest.Counts, counts) : null;
        _p99 = recent is null || recent.Count < Options.MinimumFlights ? null : recent.P99;
        _steps.Enqueue((now, counts));
        Volatile.Write(ref _stepAt, now);
    }
}
