using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>Logs, spans and the redaction of keys. The options can be reloaded at run time.</summary>
public sealed class TelemetryOptions
{
    /// <summary>
    /// If a flight has more subscribers than this, a warning is logged once. From 256 on, some more callers may join before that. Default 1,000. Range: 1 and up.
    /// </summary>
    public int SubscriberWarningThreshold { get; set; } = 1_000;

    /// <summary>How keys appear in logs, exception messages and on the live page. Metrics and spans never contain them. Default <see cref="KeyRedaction.Hash"/>.</summary>
    public KeyRedaction KeyRedaction { get; set; } = KeyRedaction.Hash;

    /// <summary>
    /// The secret for the hashes of keys (HMAC-SHA-256, RFC 2104). Default null: a random secret for each process, so that hashing
    /// guesses does not find a key. Set the same secret on all nodes to recognise a key across nodes.
    /// </summary>
    public string? KeyRedactionSecret { get; set; }

    /// <summary>
    /// Redacts the text of a key by a rule of your own, instead of <see cref="KeyRedaction"/>. Default null. Must be safe to call
    /// from any number of threads at once.
    /// </summary>
    public Func<string, string>? KeyRedactor { get; set; }

    /// <summary>
    /// How many followers' spans are linked with the span of their flight. Further followers are counted and not linked.
    /// Default 128, as many as OpenTelemetry keeps of a span's links. Range: 0 and up.
    /// </summary>
    public int MaxSpanLinks { get; set; } = 128;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(SubscriberWarningThreshold, 1, nameof(SubscriberWarningThreshold));
        ArgumentOutOfRangeException.ThrowIfNegative(MaxSpanLinks, nameof(MaxSpanLinks));
        if (KeyRedactionSecret is "") throw new ArgumentException($"{nameof(KeyRedactionSecret)} must not be empty; leave it out for a random one.", nameof(KeyRedactionSecret));
        EnumCheck.ThrowUnlessDefined(KeyRedaction, nameof(KeyRedaction));
    }
}
