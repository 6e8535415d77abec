using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>The options of an instance that coalesces through Redis. They are validated when the instance is created. Use the same on all nodes of an application.</summary>
public sealed class RedisSingleflightOptions
{
    /// <summary>
    /// The beginning of all names in Redis. Each application, and each instance in it, needs its own. Default <c>singleflight</c>; with <c>UseRedis</c>
    /// <c>singleflight:name</c>. It must not be empty and must not contain braces, which Redis Cluster reads as a hash tag.
    /// </summary>
    public string KeyPrefix { get; set; } = "singleflight";

    /// <summary>
    /// The time that a lease lasts without a heartbeat of its leader. The other nodes wait this long for a leader that was killed, and a leader that is
    /// paused for longer loses its lease. A heartbeat is sent when a quarter of it has passed. Default 3 seconds. Range: 100 milliseconds to 10 minutes.
    /// </summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// The time for which an outcome is kept for nodes that missed its message. This is no cache: a node that enters later starts a new flight.
    /// Default 5 seconds. Range: 100 milliseconds to 10 minutes.
    /// </summary>
    public TimeSpan OutcomeRetention { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The time limit of a command. If Redis takes longer, it counts as unavailable to that flight. Default 500 milliseconds. Range: 10 milliseconds
    /// to 1 minute.
    /// </summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The time for which flights do not ask Redis after it has failed. A <c>Forget</c> that failed is also sent again after this time. Default 1 second.
    /// Range: 500 milliseconds to 1 day.
    /// </summary>
    public TimeSpan OutageBreak { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The time after which a waiting node looks for the outcome if its connection has failed, so that it may miss messages. The time doubles with each
    /// look, up to a second. A node whose connection works looks at the end of the lease, or after four fifths of <see cref="OutcomeRetention"/> if
    /// that is sooner. Default 50 milliseconds. Range: 1 millisecond to 1 second.
    /// </summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The behaviour of a node while Redis cannot be reached. Default <see cref="OutageBehavior.CoalesceLocally"/>.</summary>
    public OutageBehavior OnOutage { get; set; } = OutageBehavior.CoalesceLocally;

    /// <summary>The fate of a leader's work when its lease is lost. Default <see cref="LostLeaseBehavior.GoOn"/>.</summary>
    public LostLeaseBehavior OnLostLease { get; set; } = LostLeaseBehavior.GoOn;

    /// <summary>
    /// The size of the largest outcome that is sent, in bytes. Each node that waits for a larger one runs the work once itself. Default 1 MiB. Range: 0 and up.
    /// </summary>
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>The size of the largest outcome that is sent within the message, in bytes. It saves the waiting nodes a round trip. Default 8 KiB. Range: 0 and up.</summary>
    public int MaxMessageBytes { get; set; } = 8 * 1024;

    /// <summary>Whether errors are sent with their stack traces. Default <see langword="false"/>.</summary>
    public bool SendStackTraces { get; set; }

    /// <summary>
    /// Writes and reads results. Default null: a <see cref="JsonFlightSerializer"/> with the defaults of System.Text.Json. Trimmed and natively
    /// compiled applications set a serializer with the source-generated context of their types.
    /// </summary>
    public IFlightSerializer? Serializer { get; set; }

    /// <summary>The clock of all times above. Default <see cref="TimeProvider.System"/>.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(KeyPrefix, nameof(KeyPrefix));
        if (KeyPrefix.AsSpan().ContainsAny('{', '}')) throw new ArgumentException($"{nameof(KeyPrefix)} must not contain braces.", nameof(KeyPrefix));
        InRange(nameof(LeaseDuration), LeaseDuration, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        InRange(nameof(OutcomeRetention), OutcomeRetention, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        InRange(nameof(CommandTimeout), CommandTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));
        InRange(nameof(OutageBreak), OutageBreak, TimeSpan.FromMilliseconds(500), TimeSpan.FromDays(1));
        InRange(nameof(PollInterval), PollInterval, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfNegative(MaxPayloadBytes, nameof(MaxPayloadBytes));
        ArgumentOutOfRangeException.ThrowIfNegative(MaxMessageBytes, nameof(MaxMessageBytes));
        ArgumentNullException.ThrowIfNull(TimeProvider, nameof(TimeProvider));
        EnumCheck.ThrowUnlessDefined(OnOutage, nameof(OnOutage));
        EnumCheck.ThrowUnlessDefined(OnLostLease, nameof(OnLostLease));

        static void InRange(string name, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max) throw new ArgumentOutOfRangeException(name, value, $"{name} must be from {min} to {max}.");
        }
    }
}
