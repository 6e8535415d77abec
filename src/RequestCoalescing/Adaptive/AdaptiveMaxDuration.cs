using RequestCoalescing.DependencyInjection;
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

    private readonly Reloading<AdaptiveMaxDurationOptions> _options;
    private readonly TimeProvider _clock;
    private readonly Lock _gate = new();
    private readonly LatencyHistogram _durations = new();
    private readonly Queue<(long At, long[] Counts)> _steps = new();
    private long _nextStepAt;
    private TimeSpan? _proposed;

    public AdaptiveMaxDuration(Reloading<AdaptiveMaxDurationOptions> options, TimeProvider clock)
    {
        (_options, _clock) = (options, clock);
        EndStep(clock.GetTimestamp(), options.Current);
    }

    /// <summary>Called when the maximum duration has changed, on the thread of the flight that has caused it.</summary>
    public Action? Changed { get; set; }

    /// <summary>Returns the maximum duration, given its ceiling.</summary>
    public TimeSpan Under(TimeSpan ceiling)
    {
        lock (_gate) return _proposed < ceiling ? _proposed.Value : ceiling;
    }

    /// <summary>Counts a flight that has succeeded or timed out.</summary>
    public void Record(TimeSpan duration)
    {
        _durations.Record(duration);
        var now = _clock.GetTimestamp();
        if (now < Volatile.Read(ref _nextStepAt)) return;
        lock (_gate)
        {
            if (now < _nextStepAt) return;
            var before = _proposed;
            EndStep(now, _options.Current);
            if (_proposed == before) return;
        }

        Changed?.Invoke();
    }

    private void EndStep(long now, AdaptiveMaxDurationOptions options)
    {
        // The first one that stays is the latest that is as old as the window.
        while (_steps.Count > 1 && _clock.GetElapsedTime(_steps.ElementAt(1).At, now) >= options.Window) _steps.Dequeue();
        var counts = _durations.Snapshot(before: null);
        var recent = _steps.TryPeek(out var oldest) ? LatencyHistogram.Between(oldest.Counts, counts) : null;
        _proposed = recent is null || recent.Count < options.MinimumFlights ? null : Longest(options.Floor, options.Factor * recent.P99);
        _steps.Enqueue((now, counts));
        Volatile.Write(ref _nextStepAt, now + (long)(options.Window.TotalSeconds / Steps * _clock.TimestampFrequency));
    }

    private static TimeSpan Longest(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
