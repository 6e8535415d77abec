using RequestCoalescing.AspNetCore.Stats;

namespace RequestCoalescing.AspNetCore.Dashboard;

/// <summary>The data that the page requests each second.</summary>
/// <param name="Process">The process that the figures come from.</param>
/// <param name="Now">The time on the node.</param>
/// <param name="HistoryStartedAt">Identifies the history. A page with samples of another history discards them.</param>
/// <param name="Instances">The instances.</param>
internal sealed record DashboardDocument(DashboardProcess Process, DateTimeOffset Now, DateTimeOffset HistoryStartedAt, IReadOnlyList<DashboardInstance> Instances)
{
    private const int ShownFlights = 50;

    /// <param name="process">The process.</param>
    /// <param name="instances">The instances.</param>
    /// <param name="history">The samples of the last minutes.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="after">The number of the last sample that the page has. 0 if it has none.</param>
    public static DashboardDocument Of(DashboardProcess process, IEnumerable<SingleflightInstance> instances, SingleflightHistory history, TimeProvider clock, long after) =>
        new(process, clock.GetUtcNow(), history.StartedAt, [.. instances.Select(instance => Of(instance, history, after))]);

    private static DashboardInstance Of(SingleflightInstance instance, SingleflightHistory history, long after)
    {
        var (flights, waits) = history.GetLatencies(instance.Name);
        return new DashboardInstance(
            new InstanceStats(instance.Name, instance.MaxDuration, instance.GetStats()),
            DashboardSettings.Of(instance.GetSettings()),
            DashboardLatency.Of(flights),
            DashboardLatency.Of(waits),
            [.. instance.GetFlights(ShownFlights).Select(DashboardFlight.Of)],
            [.. instance.GetAbandoned(ShownFlights).Select(DashboardFlight.Of)],
            [.. instance.GetFailureGroups().Select(group => new DashboardFailure(group.ErrorType, group.Message, group.Key, group.LastAt, group.RecentCount, group.Count))],
            [.. history.GetSamples(instance.Name, after).Select(DashboardSample.Of)]);
    }
}

internal sealed record DashboardInstance(
    InstanceStats Stats,
    DashboardSettings Settings,
    DashboardLatency? FlightLatency,
    DashboardLatency? WaitLatency,
    IReadOnlyList<DashboardFlight> InFlight,
    IReadOnlyList<DashboardFlight> Abandoned,
    IReadOnlyList<DashboardFailure> Failures,
    IReadOnlyList<double?[]> Samples);

internal sealed record DashboardFlight(string Key, double AgeMs, int Subscribers, bool IsCurrent)
{
    public static DashboardFlight Of(SingleflightFlight flight) => new(flight.Key, flight.Age.TotalMilliseconds, flight.Subscribers, flight.IsCurrent);
}

internal sealed record DashboardFailure(string ErrorType, string? Message, string Key, DateTimeOffset LastAt, long RecentCount, long Count);

internal sealed record DashboardLatency(long Count, double P50Ms, double P95Ms, double P99Ms)
{
    public static DashboardLatency? Of(SingleflightLatency? latency) =>
        latency is null ? null : new(latency.Count, latency.P50.TotalMilliseconds, latency.P95.TotalMilliseconds, latency.P99.TotalMilliseconds);
}

/// <summary>One second as numbers without names, to keep the answer small: a page that has just been opened gets six hundred of them.</summary>
internal static class DashboardSample
{
    public static double?[] Of(SingleflightSample sample)
    {
        var stats = sample.Stats;
        return
        [
            sample.Number, Math.Round(sample.Elapsed.TotalSeconds, 3),
            stats.Calls, stats.Flights, stats.Coalesced, stats.Succeeded, stats.Failed, stats.TimedOut, stats.Cancelled, stats.Alone, stats.Rejected,
            stats.Elections, stats.Mismatches, stats.Observed, stats.WouldBeFollowers, stats.InFlightCount, stats.AbandonedCount,
            Milliseconds(sample.Flights?.P50), Milliseconds(sample.Flights?.P99),
        ];
    }

    private static double? Milliseconds(TimeSpan? duration) => duration is { } known ? Math.Round(known.TotalMilliseconds, 2) : null;
}
