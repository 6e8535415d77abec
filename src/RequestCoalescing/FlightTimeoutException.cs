using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>
/// A flight exceeded <see cref="SingleflightOptions.MaxDuration"/>, or the source of a stream was silent for longer than <see cref="StreamOptions.MaxIdle"/>. All its
/// subscribers get this one object.
/// </summary>
public sealed class FlightTimeoutException : TimeoutException
{
    private readonly KeyLabel? _key;

    /// <summary>Creates the exception.</summary>
    /// <param name="maxDuration">The duration that was exceeded.</param>
    public FlightTimeoutException(TimeSpan maxDuration) => MaxDuration = Age = maxDuration;

    internal FlightTimeoutException(string instance, KeyLabel key, TimeSpan maxDuration, TimeSpan age, int subscribers) =>
        (Instance, _key, MaxDuration, Age, Subscribers) = (instance, key, maxDuration, age, subscribers);

    /// <summary>The name of the instance. Null if it is not known.</summary>
    public string? Instance { get; }

    /// <summary>The key as logs show it: as a hash, unless <see cref="TelemetryOptions"/> choose otherwise. Null if it is not known.</summary>
    public string? Key => _key?.ToString();

    /// <summary>The duration that was exceeded.</summary>
    public TimeSpan MaxDuration { get; }

    /// <summary>The age of the flight when it expired.</summary>
    public TimeSpan Age { get; }

    /// <summary>The number of callers that waited for the flight when it expired.</summary>
    public int Subscribers { get; }

    /// <summary>Whether the source of a stream was silent for too long. Otherwise, the flight took too long.</summary>
    internal bool IsIdle { get; init; }

    /// <inheritdoc/>
    public override string Message
    {
        get
        {
            if (Instance is null) return $"The work did not end within {nameof(MaxDuration)} ({MaxDuration}).";
            var what = IsIdle
                ? $"The stream of '{Instance}' for key {Key} had no item for {nameof(StreamOptions.MaxIdle)} ({MaxDuration})."
                : $"The work of '{Instance}' for key {Key} did not end within {nameof(MaxDuration)} ({MaxDuration}).";
            return $"{what} The flight was {Age} old and had {Subscribers} subscribers.";
        }
    }
}
