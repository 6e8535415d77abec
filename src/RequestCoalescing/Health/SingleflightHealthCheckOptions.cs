namespace RequestCoalescing;

/// <summary>When the health check says what.</summary>
public sealed class SingleflightHealthCheckOptions
{
    /// <summary>
    /// Over one of these an instance is degraded. Default: 10,000 flights, an age of 80 % of the instance's own
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
    /// Over one of these it is unhealthy, or what the registration says for failure. Default: none, as what is unhealthy is often
    /// restarted, and a backend that hangs is not mended by that.
    /// </summary>
    public SingleflightHealthThresholds Unhealthy { get; } = new();

    internal void Validate()
    {
        Degraded.Validate(nameof(Degraded));
        Unhealthy.Validate(nameof(Unhealthy));
    }
}
