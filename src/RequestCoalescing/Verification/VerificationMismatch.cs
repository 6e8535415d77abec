namespace RequestCoalescing;

/// <summary>A follower got another outcome than its own work makes. Holds no values: they are somebody's data.</summary>
public sealed record VerificationMismatch
{
    /// <summary>The name of the instance.</summary>
    public required string Instance { get; init; }

    /// <summary>The key, redacted as in logs.</summary>
    public required string Key { get; init; }

    /// <summary>The type of the result.</summary>
    public required Type ResultType { get; init; }

    /// <summary>The type of the error of the follower's own work; null if it made a value.</summary>
    public Type? OwnError { get; init; }
}
