using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace RequestCoalescing.Health;

/// <summary>Checks all instances of the service provider.</summary>
internal sealed class SingleflightHealthCheck(IEnumerable<SingleflightInstance> instances, SingleflightHealthCheckOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var status = HealthStatus.Healthy;
        var findings = new List<string>();
        var data = new Dictionary<string, object>();
        foreach (var instance in instances)
        {
            var stats = instance.GetStats();
            data[$"{instance.Name}.in_flight_count"] = stats.InFlightCount;
            data[$"{instance.Name}.oldest_call_age_ms"] = stats.OldestCallAge?.TotalMilliseconds ?? 0;
            data[$"{instance.Name}.largest_flight"] = stats.LargestFlight;
            data[$"{instance.Name}.abandoned_count"] = stats.AbandonedCount;

            Judge(options.Unhealthy, context.Registration.FailureStatus);
            Judge(options.Degraded, HealthStatus.Degraded);

            void Judge(SingleflightHealthThresholds thresholds, HealthStatus verdict)
            {
                foreach (var finding in thresholds.Over(stats, instance.MaxDuration))
                {
                    if (verdict < status) status = verdict; // a worse status has a smaller value
                    findings.Add($"{instance.Name}: {finding}");
                }
            }
        }

        return Task.FromResult(new HealthCheckResult(status, findings.Count == 0 ? null : string.Join("; ", findings), exception: null, data));
    }
}
