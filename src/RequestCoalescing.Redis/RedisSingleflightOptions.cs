namespace RequestCoalescing;

/// <summary>How nodes coalesce together. Validated when the instance is made; the same on all nodes of an application.</summary>
public sealed class RedisSingleflightOptions
{
    /// <summary>
    /// What all names in Redis begin with: one for each application, and for each instance of one. Default <c>singleflight</c>.
    /// Not empty, without braces (which Redis Cluster takes for a hash tag).
    /// </summary>
    public string KeyPrefix { get; set; } = "singleflight";

    /// <summary>
    /// How long a lease lasts without its leader's heartbeat, which comes when a quarter of it is over: how long others wait for a leader that
    /// was killed. A leader that is paused for longer loses its lease. Default 3 seconds. Range: 100 milliseconds to 10 minutes.
    /// </summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long an outcome stays to be read by nodes that missed its message. No cache: who comes later starts a new flight.
    /// Default 5 seconds. Range: 100 milliseconds to 10 minutes.
    /// </summary>
    public TimeSpan OutcomeRetention { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a command may take before Redis counts as unavailable to this flight. Default 500 milliseconds. Range: 10 milliseconds
    /// to 1 minute.
    /// </summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// How long Redis is left alone once it has failed; flights of that time do not ask it. A <c>Forget</c> that
    /// failed is told again after this, too. Default 1 second. Range: 500 milliseconds
    /// (the least that the circuit breaker knows) to 1 day.
    /// </summary>
    public TimeSpan OutageBreak { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A node that waits and does not know whether it hears messages, as its connection has failed, looks after this, then after twice that and
    /// so on up to a second. One that hears looks at the end of the lease, or after four fifths of <see cref="OutcomeRetention"/> if that is
    /// sooner. Default 50 milliseconds. Range: 1 millisecond to 1 second.
    /// </summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>What a node does while Redis cannot be reached. Default <see cref="OutageBehavior.CoalesceLocally"/>.</summary>
    public OutageBehavior OnOutage { get; set; } = OutageBehavior.CoalesceLocally;

    /// <summary>What becomes of a leader's work when its lease is lost. Default <see cref="LostLeaseBehavior.GoOn"/>.</summary>
    public LostLeaseBehavior OnLostLease { get; set; } = LostLeaseBehavior.GoOn;

    /// <summary>
    /// An outcome larger than this is not sent; each node that waits for it then runs the work once itself. Default 1 MiB. Range: 0 and up.
    /// </summary>
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>An outcome up to this goes with the message, and spares the nodes that wait a round trip. Default 8 KiB. Range: 0 and up.</summary>
    public int MaxMessageBytes { get; set; } = 8 * 1024;

    /// <summary>Whether errors are sent with their stack traces. Default <see langword="false"/>.</summary>
    public bool SendStackTraces { get; set; }

    /// <summary>
    /// Writes and reads results. Default null: a <see cref="JsonFlightSerializer"/> with the defaults of System.Text.Json. Trimmed and natively
    /// compiled applications give it the source-generated context of their types.
    /// </summary>
    public IFlightSerializer? Serializer { get; set; }

    /// <summary>The clock of leases, polls and breaks. Default <see cref="TimeProvider.System"/>.</summary>
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
        if (!Enum.IsDefined(OnOutage)) throw Undefined(nameof(OnOutage), OnOutage);
        if (!Enum.IsDefined(OnLostLease)) throw Undefined(nameof(OnLostLease), OnLostLease);

        static void InRange(string name, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max) throw new ArgumentOutOfRangeException(name, value, $"{name} must be from {min} to {max}.");
        }

        static ArgumentOutOfRangeException Undefined<T>(string name, T value)
            where T : struct, Enum =>
            new(name, value, $"{name} must be one of: {string.Join(", ", Enum.GetNames<T>())}.");
    }
}
