namespace RequestCoalescing;

/// <summary>A follower got another result than its own work returns. The results are left out, because they may be private.</summary>
public sealed record VerificationMismatch
{
    /// <summary>The name of the instance.</summary>
    public required string Instance { get; init; }

    /// <summary>The key, redacted as in logs.</summary>
    public required string Key { get; init; }

    /// <summary>The type of the result.</summary>
    public required Type ResultType { get; init; }

    /// <summary>The type of the error with which the follower's own work failed. Null if it returned a value.</summary>
    public Type? OwnError { get; init; }
}
