namespace RequestCoalescing;

/// <summary>A flight exceeded <see cref="SingleflightOptions.MaxDuration"/>. Every subscriber it had then gets this one instance.</summary>
public sealed class FlightTimeoutException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="maxDuration">The duration that was exceeded.</param>
    public FlightTimeoutException(TimeSpan maxDuration)
        : base($"The flight was still in the air after {nameof(SingleflightOptions.MaxDuration)} ({maxDuration}).") => MaxDuration = maxDuration;

    /// <summary>The duration that was exceeded.</summary>
    public TimeSpan MaxDuration { get; }
}
