namespace RequestCoalescing.Telemetry;

/// <summary>The samples of one instance, and the snapshots of its histograms. Not thread-safe.</summary>
internal sealed class InstanceTrack(TimeProvider clock)
{
    public const int Kept = 600;

    // A snapshot every ten seconds is enough for quantiles over five minutes.
    private const int SnapshotEvery = 10;
    private const int Snapshots = 30;

    private readonly Queue<SingleflightSample> _samples = new();
    private readonly Queue<(long[] Flights, long[] Waits)> _snapshots = new();
    private (long[] Flights, long[] Waits)? _counts;
    private SingleflightStats _last;
    private long _lastAt;
    private bool _hasLast;

    public void Add(long number, long now, SingleflightStats stats, Latencies? latencies)
    {
        var elapsed = _hasLast ? clock.GetElapsedTime(_lastAt, now) : TimeSpan.Zero;
        var change = stats.Since(_last);
        var flights = Measure(number, latencies);
        latencies?.Watch(elapsed > TimeSpan.Zero ? change.Calls / elapsed.TotalSeconds : 0);
        if (_hasLast)
        {
            _samples.Enqueue(new SingleflightSample(number, elapsed, change, flights));
            if (_samples.Count > Kept) _samples.Dequeue();
        }

        (_last, _lastAt, _hasLast) = (stats, now, true);
    }

    public List<SingleflightSample> Since(long number) => [.. _samples.SkipWhile(sample => sample.Number <= number)];

    public (SingleflightLatency? Flights, SingleflightLatency? Waits) Latencies() =>
        _counts is { } now && _snapshots.TryPeek(out var before)
            ? (LatencyHistogram.Between(before.Flights, now.Flights), LatencyHistogram.Between(before.Waits, now.Waits))
            : default;

    private SingleflightLatency? Measure(long number, Latencies? latencies)
    {
        if (latencies is null) return null;
        var before = _counts;
        var now = (Flights: latencies.Flights.Snapshot(before?.Flights), Waits: latencies.Waits.Snapshot(before?.Waits));
        _counts = now;
        if (before is null || number % SnapshotEvery == 0)
        {
            _snapshots.Enqueue(now);
            if (_snapshots.Count > Snapshots) _snapshots.Dequeue();
        }

        return before is { } last ? LatencyHistogram.Between(last.Flights, now.Flights) : null;
    }
}
