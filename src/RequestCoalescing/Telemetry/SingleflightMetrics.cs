using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using RequestCoalescing.Batching;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// The meter of a service provider's instances, or of the engines that were created by hand. Counters and gauges read the counts that instances
/// keep anyway. Only durations and sizes are recorded.
/// </summary>
internal sealed class SingleflightMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly bool _ownsMeter;
    private readonly MeterReading _reading;
    private ImmutableArray<SingleflightInstance> _instances = [];

    /// <param name="factory">Creates the meter. Null to create it without a factory.</param>
    /// <param name="instances">Lists the measured instances. Null for the engines that were created by hand.</param>
    public SingleflightMetrics(IMeterFactory? factory, Func<IEnumerable<SingleflightInstance>>? instances = null)
    {
        var options = new MeterOptions(SingleflightTelemetry.MeterName) { Version = typeof(SingleflightMetrics).Assembly.GetName().Version?.ToString(3) };
        _ownsMeter = factory is null;
        _meter = factory?.Create(options) ?? new Meter(options);
        instances ??= () => _instances;
        _reading = new MeterReading(() => [.. instances().Select(instance => new InstanceReading(instance.Name, instance.GetStats(), instance.MaxDuration))]);

        var seconds = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] };
        var subscribers = new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] };
        FlightDuration = _meter.CreateHistogram("singleflight.flight.duration", "s", "How long flights took, by outcome.", tags: null, seconds);
        FlightSubscribers = _meter.CreateHistogram("singleflight.flight.subscribers", "{subscriber}", "How many subscribers flights had when they landed.", tags: null, subscribers);
        CallerWait = _meter.CreateHistogram("singleflight.caller.wait", "s", "How long callers waited, whatever their role.", tags: null, seconds);

        Batches = new BatchMetrics(_meter);

        _meter.CreateObservableCounter("singleflight.calls", Calls, "{call}", "Calls, by role.");
        _meter.CreateObservableCounter("singleflight.flights", Flights, "{flight}", "Flights that are over, by outcome.");
        Count("singleflight.unchecked_waits", "{wait}", "Waits whose check for a deadlock was cut short.", stats => stats.UncheckedWaits);
        Count("singleflight.elections", "{election}", "New leaders elected because the one before cancelled itself.", stats => stats.Elections);
        Count("singleflight.hedges", "{run}", "Second runs that started beside a slow leader.", stats => stats.Hedges);
        Count("singleflight.verifications", "{run}", "Runs that verified what a follower got.", stats => stats.Verifications);
        Count("singleflight.verification.mismatches", "{mismatch}", "Verifications that found another outcome: the sign of a wrong key.", stats => stats.Mismatches);
        Count("singleflight.verification.unverifiable", "{run}", "Verifications without an answer, because the own work did not end in time or the results cannot be compared.", stats => stats.Unverifiable);
        Count("singleflight.observed.calls", "{call}", "Calls that were only observed.", stats => stats.Observed);
        Count("singleflight.observed.followers", "{call}", "Observed calls that would have joined a flight.", stats => stats.WouldBeFollowers);
        Gauge("singleflight.in_flight", "{flight}", "Flights in the air.", instance => instance.Stats.InFlightCount);
        Gauge("singleflight.subscribers", "{subscriber}", "Subscribers of the flights in the air.", instance => instance.Stats.TotalSubscribers);
        Gauge("singleflight.subscribers.max", "{subscriber}", "Subscribers of the flight in the air that has the most.", instance => instance.Stats.LargestFlight);
        Gauge("singleflight.oldest_flight.age", "s", "Age of the oldest flight in the air; 0 if there is none.", instance => instance.Stats.OldestCallAge?.TotalSeconds ?? 0);
        Gauge("singleflight.max_duration", "s", "The current maximum duration of a flight.", instance => instance.MaxDuration.TotalSeconds);
        Gauge("singleflight.abandoned", "{run}", "Runs of work that go on after their maximum duration, without a subscriber.", instance => instance.Stats.AbandonedCount);
    }

    public Histogram<double> FlightDuration { get; }

    public Histogram<int> FlightSubscribers { get; }

    public Histogram<double> CallerWait { get; }

    public BatchMetrics Batches { get; }

    public static KeyValuePair<string, object?> NameTag(string instance) => new("singleflight.name", instance);

    public static KeyValuePair<string, object?> OutcomeTag(string outcome) => new("singleflight.outcome", outcome);

    public void Add(SingleflightInstance instance)
    {
        ImmutableInterlocked.Update(ref _instances, static (all, added) => all.Add(added), instance);
        _reading.Expire();
    }

    /// <summary>Makes the next reader take a new look, because instances have come or gone.</summary>
    public void Expire() => _reading.Expire();

    public void Remove(SingleflightInstance instance)
    {
        ImmutableInterlocked.Update(ref _instances, static (all, removed) => all.Remove(removed), instance);
        _reading.Expire();
    }

    public void Dispose()
    {
        if (_ownsMeter) _meter.Dispose();
    }

    private IEnumerable<Measurement<long>> Calls()
    {
        foreach (var (name, stats, _) in _reading.For("singleflight.calls"))
        {
            yield return Of(stats.Calls - stats.Coalesced - stats.Alone - stats.Rejected, "leader");
            yield return Of(stats.Coalesced, "follower");
            yield return Of(stats.Alone, "alone");
            yield return Of(stats.Rejected, "rejected");

            Measurement<long> Of(long count, string role) =>
                new(count, NameTag(name), new KeyValuePair<string, object?>("singleflight.role", role));
        }
    }

    private IEnumerable<Measurement<long>> Flights()
    {
        foreach (var (name, stats, _) in _reading.For("singleflight.flights"))
        {
            yield return Of(stats.Succeeded, "success");
            yield return Of(stats.Failed, "failure");
            yield return Of(stats.Cancelled, "cancelled");
            yield return Of(stats.TimedOut, "timeout");
            yield return Of(stats.Elections, "reelected");

            Measurement<long> Of(long count, string outcome) => new(count, NameTag(name), OutcomeTag(outcome));
        }
    }

    private void Count(string name, string unit, string description, Func<SingleflightStats, long> count) =>
        _meter.CreateObservableCounter(
            name, () => _reading.For(name).Select(instance => new Measurement<long>(count(instance.Stats), NameTag(instance.Name))), unit, description);

    private void Gauge(string name, string unit, string description, Func<InstanceReading, double> value) =>
        _meter.CreateObservableGauge(
            name, () => _reading.For(name).Select(instance => new Measurement<double>(value(instance), NameTag(instance.Name))), unit, description);
}
