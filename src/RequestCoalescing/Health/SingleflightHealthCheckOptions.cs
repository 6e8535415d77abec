namespace RequestCoalescing;

/// <summary>The thresholds of the health check.</summary>
public sealed class SingleflightHealthCheckOptions
{
    /// <summary>
    /// Over one of these thresholds an instance is degraded. Default: 10,000 flights, an age of 80 % of the instance's own
    /// <see cref="SingleflightOptions.MaxDuration"/>, 10,000 subscribers of one flight, any abandoned work.
    /// </summary>
    public SingleflightHealthThresholds Degraded { get; } = new()
    {
        InFlight = 10_000,
        OldestAgeShare = 0.8,
        Subscribers = 10_000,
        Abandoned = 0,
    };

    /// <summary>
    /// Over one of these thresholds an instance is unhealthy, or has the failure status of the registration. Default: none. Unhealthy processes are
    /// often restarted, and a restart does not repair a backend that hangs.
    /// </summary>
    public SingleflightHealthThresholds Unhealthy { get; } = new();

    internal void Validate()
    {
        Degraded.Validate(nameof(Degraded));
        Unhealthy.Validate(nameof(Unhealthy));
    }
}
