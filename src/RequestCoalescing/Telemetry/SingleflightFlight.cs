namespace RequestCoalescing;

/// <summary>A flight in the air, as it was when asked.</summary>
public sealed record SingleflightFlight
{
    /// <summary>The key, redacted as in logs.</summary>
    public required string Key { get; init; }

    /// <summary>How long ago it took off.</summary>
    public required TimeSpan Age { get; init; }

    /// <summary>How many wait for it, the leader included.</summary>
    public required int Subscribers { get; init; }

    /// <summary>Whether new callers of its key would join it.</summary>
    public required bool IsCurrent { get; init; }
}
