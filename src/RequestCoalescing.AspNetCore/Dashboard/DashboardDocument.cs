using RequestCoalescing.AspNetCore.Stats;

namespace RequestCoalescing.AspNetCore.Dashboard;

/// <summary>What the page asks for, again and again.</summary>
internal sealed record DashboardDocument(IReadOnlyList<DashboardInstance> Instances)
{
    private const int ShownFlights = 20;

    public static DashboardDocument Of(IEnumerable<SingleflightInstance> instances) => new([.. instances.Select(instance => new DashboardInstance(
        new InstanceStats(instance.Name, instance.MaxDuration, instance.GetStats()),
        [.. instance.GetFlights(ShownFlights).Select(flight => new DashboardFlight(flight.Key, flight.Age.TotalMilliseconds, flight.Subscribers, flight.IsCurrent))],
        [.. instance.GetRecentFailures().Select(failure => new DashboardFailure(failure.At, failure.Key, failure.Outcome, failure.ErrorType, failure.Duration.TotalMilliseconds))]))]);
}

internal sealed record DashboardInstance(InstanceStats Stats, IReadOnlyList<DashboardFlight> InFlight, IReadOnlyList<DashboardFailure> Failures);

internal sealed record DashboardFlight(string Key, double AgeMs, int Subscribers, bool IsCurrent);

internal sealed record DashboardFailure(DateTimeOffset At, string Key, string Outcome, string ErrorType, double DurationMs);
