using Microsoft.Extensions.Diagnostics.HealthChecks;
using RequestCoalescing;
using RequestCoalescing.Health;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the health check.</summary>
public static class SingleflightHealthChecksBuilderExtensions
{
    /// <summary>Adds a check of all registered instances.</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="configure">Sets the thresholds.</param>
    /// <param name="name">The name of the check. Default <c>singleflight</c>.</param>
    /// <param name="failureStatus">The status over a threshold of <see cref="SingleflightHealthCheckOptions.Unhealthy"/>. Null for unhealthy.</param>
    /// <param name="tags">Tags of the check.</param>
    /// <returns>The health checks.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A threshold is negative.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddHealthChecks().AddSingleflight(health =>
    /// {
    ///     health.Degraded.OldestAgeShare = 0.5;    // a flight older than half of its MaxDuration
    ///     health.Unhealthy.Abandoned = 100;
    /// });
    /// </code>
    /// </example>
    public static IHealthChecksBuilder AddSingleflight(
        this IHealthChecksBuilder builder,
        Action<SingleflightHealthCheckOptions>? configure = null,
        string name = "singleflight",
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = new SingleflightHealthCheckOptions();
        configure?.Invoke(options);
        options.Validate();
        return builder.Add(new HealthCheckRegistration(
            name,
            services => new SingleflightHealthCheck(services.GetServices<SingleflightInstance>(), options),
            failureStatus,
            tags));
    }
}
