using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>A call was rejected by a limit. The flights in the air are not affected.</summary>
public sealed class FlightRejectedException : InvalidOperationException
{
    private readonly KeyLabel? _key;

    /// <summary>Creates the exception.</summary>
    /// <param name="reason">The limit that was reached.</param>
    /// <param name="limit">The value of that limit. Zero if the limit is not a number.</param>
    public FlightRejectedException(FlightRejectionReason reason, int limit) => (Reason, Limit) = (reason, limit);

    internal FlightRejectedException(string instance, KeyLabel key, FlightRejectionReason reason, int limit, TimeSpan? age, int? subscribers)
        : this(reason, limit) =>
        (Instance, _key, Age, Subscribers) = (instance, key, age, subscribers);

    /// <summary>The name of the instance; null if it is not known.</summary>
    public string? Instance { get; }

    /// <summary>The key as logs show it, which is as a hash unless <see cref="TelemetryOptions"/> say otherwise; null if it is not known.</summary>
    public string? Key => _key?.ToString();

    /// <summary>The limit that was reached.</summary>
    public FlightRejectionReason Reason { get; }

    /// <summary>The value of that limit. Zero for <see cref="FlightRejectionReason.Draining"/>.</summary>
    public int Limit { get; }

    /// <summary>How old the flight was that the call could not join; null unless <see cref="FlightRejectionReason.MaxSubscribers"/> was reached.</summary>
    public TimeSpan? Age { get; }

    /// <summary>How many callers waited for that flight; null unless <see cref="FlightRejectionReason.MaxSubscribers"/> was reached.</summary>
    public int? Subscribers { get; }

    /// <inheritdoc/>
    public override string Message
    {
        get
        {
            var call = Instance is null ? "The call" : $"The call to '{Instance}' for key {Key}";
            return Reason switch
            {
                FlightRejectionReason.Draining => $"{call} was rejected: the instance drains, because its host shuts down.",
                FlightRejectionReason.MaxSubscribers when Age is not null => $"{call} was rejected: the flight, {Age} old, has {Subscribers} subscribers, and {Reason} is {Limit}.",
                _ => $"{call} was rejected: {Reason} ({Limit}) is reached.",
            };
        }
    }
}
