using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Adaptive;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>Turns the events of an instance's flights into measurements, spans and log events. Without a listener, it creates none of them.</summary>
internal sealed class FlightTelemetry(
    string instance,
    ILogger logger,
    SingleflightMetrics metrics,
    KeyRedactor redactor,
    TimeProvider clock,
    Reloading<TelemetryOptions> options,
    AdaptiveMaxDuration? adaptive) : FlightListener
{
    private const int KeptFailures = 20;
    private const int ExactThresholds = 256;

    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(instance);
    private readonly KeyCheck _keys = new(instance, logger);
    private readonly ConcurrentQueue<SingleflightFailure> _failures = new();
    private readonly FailureGroups _groups = new(clock);

    /// <summary>The durations of flights and of waits, which a history reads.</summary>
    public Latencies Latencies { get; } = new();

    /// <summary>The latest failures, the last first.</summary>
    public IReadOnlyList<SingleflightFailure> Failures => [.. _failures.Reverse()];

    /// <summary>The failures by the type of their cause. The group with the latest failure comes first.</summary>
    public IReadOnlyList<SingleflightFailureGroup> FailureGroups => _groups.List();

    /// <summary>Takes over changed options.</summary>
    public void Change(TelemetryOptions changed) => CountsEveryJoin = changed.SubscriberWarningThreshold < ExactThresholds; // the landing counts once more

    public override void TakingOff(Flight flight, Activity? leader)
    {
        try
        {
            adaptive?.Look(flight.TakenOffAt);
            var role = flight.Elections > 0 ? "elected" : flight.IsAlone ? "alone" : "leader";
            FlightSpan.Start(ref flight.ListenerState, instance, role, leader, options.Current.MaxSpanLinks);
        }
        catch (Exception)
        {
            // A listener that fails must not affect the flight.
        }

        _keys.Look(flight);
        if (logger.IsEnabled(LogLevel.Debug)) Log.FlightStarted(logger, instance, KeyOf(flight));
    }

    protected override void Joined(Flight flight, bool isCounted)
    {
        var current = options.Current;
        if (isCounted && !flight.IsLarge) WarnIfLarge(flight, flight.SubscriberCount, current.SubscriberWarningThreshold);
        try
        {
            FlightSpan.Join(ref flight.ListenerState, current.MaxSpanLinks);
        }
        catch (Exception)
        {
            // As in TakingOff.
        }
    }

    public override void Landed(Flight flight, FlightOutcome outcome, int subscribers, Exception? error)
    {
        if (!flight.IsLarge) WarnIfLarge(flight, subscribers, options.Current.SubscriberWarningThreshold);
        if (outcome is FlightOutcome.Failed or FlightOutcome.TimedOut) Keep(flight, outcome, error);
        Measure(flight, outcome, subscribers);
        try
        {
            FlightSpan.End(ref flight.ListenerState, NameOf(outcome), subscribers, error);
        }
        catch (Exception)
        {
            // As in TakingOff.
        }

        LogLanded(flight, outcome, subscribers, error);
    }

    public override void Abandoned(Flight flight)
    {
        if (logger.IsEnabled(LogLevel.Warning)) Log.WorkAbandoned(logger, instance, KeyOf(flight));
    }

    public override void AbandonedEnded(Flight flight)
    {
        if (logger.IsEnabled(LogLevel.Information)) Log.AbandonedWorkEnded(logger, instance, KeyOf(flight), AgeOf(flight).TotalMilliseconds);
    }

    private void WarnIfLarge(Flight flight, int subscribers, int threshold)
    {
        if (subscribers <= threshold || Interlocked.Exchange(ref flight.IsLarge, true)) return;
        if (logger.IsEnabled(LogLevel.Warning)) Log.SubscriberThresholdExceeded(logger, instance, KeyOf(flight), subscribers, threshold);
    }

    private static string NameOf(FlightOutcome outcome) => outcome switch
    {
        FlightOutcome.Succeeded => "success",
        FlightOutcome.Failed => "failure",
        FlightOutcome.Cancelled => "cancelled",
        FlightOutcome.TimedOut => "timeout",
        FlightOutcome.Reelected => "reelected",
        _ => throw new UnreachableException($"{outcome} has no name."),
    };

    private void Measure(Flight flight, FlightOutcome outcome, int subscribers)
    {
        try
        {
            if (outcome is FlightOutcome.Succeeded or FlightOutcome.TimedOut && !flight.IsStreaming) adaptive?.Record(AgeOf(flight));
            if (Latencies.IsWatched && outcome is not (FlightOutcome.Cancelled or FlightOutcome.Reelected)) Latencies.Flights.Record(AgeOf(flight));
            if (metrics.FlightDuration.Enabled) metrics.FlightDuration.Record(AgeOf(flight).TotalSeconds, _name, SingleflightMetrics.OutcomeTag(NameOf(outcome)));
            if (metrics.FlightSubscribers.Enabled) metrics.FlightSubscribers.Record(subscribers, _name);
        }
        catch (Exception)
        {
            // As in TakingOff.
        }
    }

    private void LogLanded(Flight flight, FlightOutcome outcome, int subscribers, Exception? error)
    {
        var level = outcome is FlightOutcome.Failed or FlightOutcome.TimedOut ? LogLevel.Warning : LogLevel.Debug;
        if (!logger.IsEnabled(level)) return;
        var (key, elapsed) = (KeyOf(flight), AgeOf(flight).TotalMilliseconds);
        if (outcome == FlightOutcome.Failed) Log.FlightFailed(logger, error, instance, key, error?.GetType().FullName, elapsed, subscribers);
        else if (outcome == FlightOutcome.TimedOut) Log.MaxDurationExceeded(logger, instance, key, subscribers, elapsed);
        else Log.FlightLanded(logger, instance, key, NameOf(outcome), elapsed, subscribers);
    }

    private void Keep(Flight flight, FlightOutcome outcome, Exception? error)
    {
        try
        {
            var key = KeyOf(flight);
            _failures.Enqueue(new SingleflightFailure
            {
                At = clock.GetUtcNow(),
                Key = key,
                Outcome = NameOf(outcome),
                ErrorType = error?.GetType().FullName ?? "",
                Duration = AgeOf(flight),
            });
            while (_failures.Count > KeptFailures) _failures.TryDequeue(out _);
            _groups.Add(error, key, cause => redactor.Message(cause, flight.KeyObject));
        }
        catch (Exception)
        {
            // As in TakingOff: the clock may throw.
        }
    }

    private string KeyOf(Flight flight) => redactor.Redact(flight.KeyObject);

    // Subscribers wait until these return, so that a clock that throws must not harm them.
    private TimeSpan AgeOf(Flight flight)
    {
        try
        {
            return clock.GetElapsedTime(flight.TakenOffAt);
        }
        catch (Exception)
        {
            return TimeSpan.Zero;
        }
    }
}
