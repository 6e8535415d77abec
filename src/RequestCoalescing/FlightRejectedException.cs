using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>A call was rejected by a limit, or because the instance is draining. Running flights are not affected.</summary>
public sealed class FlightRejectedException : InvalidOperationException
{
    private readonly KeyLabel? _key;

    /// <summary>Creates the exception.</summary>
    /// <param name="reason">Why the call was rejected.</param>
    /// <param name="limit">The value of that limit. Zero if the limit is not a number.</param>
    public FlightRejectedException(FlightRejectionReason reason, int limit) => (Reason, Limit) = (reason, limit);

    internal FlightRejectedException(string instance, KeyLabel key, FlightRejectionReason reason, int limit, TimeSpan? age, int? subscribers)
        : this(reason, limit) =>
        (Instance, _key, Age, Subscribers) = (instance, key, age, subscribers);

    /// <summary>The name of the instance. Null if it is not known.</summary>
    public string? Instance { get; }

    /// <summary>The key as logs show it: as a hash, unless <see cref="TelemetryOptions"/> choose otherwise. Null if it is not known.</summary>
    public string? Key => _key?.ToString();

    /// <summary>Why the call was rejected.</summary>
    public FlightRejectionReason Reason { get; }

    /// <summary>The value of that limit. Zero for <see cref="FlightRejectionReason.Draining"/>.</summary>
    public int Limit { get; }

    /// <summary>The age of the flight that the call could not join. Null unless <see cref="FlightRejectionReason.MaxSubscribers"/> was reached.</summary>
    public TimeSpan? Age { get; }

    /// <summary>The number of callers that waited for that flight. Null unless <see cref="FlightRejectionReason.MaxSubscribers"/> was reached.</summary>
    public int? Subscribers { get; }

    /// <inheritdoc/>
    public override string Message
    {
        get
        {
            var call = Instance is null ? "The call" : $"The call to '{Instance}' for key {Key}";
            return Reason switch
            {
                FlightRejectionReason.Draining => $"{call} was rejected: the instance accepts no new calls, because its host is shutting down.",
                FlightRejectionReason.MaxSubscribers when Age is not null => $"{call} was rejected: its flight is {Age} old and has {Subscribers} subscribers, and {Reason} is {Limit}.",
                _ => $"{call} was rejected: the limit {Reason} ({Limit}) has been reached.",
            };
        }
    }
}
