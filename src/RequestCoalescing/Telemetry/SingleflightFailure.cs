namespace RequestCoalescing;

/// <summary>A flight that failed or timed out.</summary>
public sealed record SingleflightFailure
{
    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The key, redacted as in logs.</summary>
    public required string Key { get; init; }

    /// <summary><c>failure</c> or <c>timeout</c>.</summary>
    public required string Outcome { get; init; }

    /// <summary>The full name of the exception's type; not its message, which may hold data.</summary>
    public required string ErrorType { get; init; }

    /// <summary>How long the flight took.</summary>
    public required TimeSpan Duration { get; init; }
}
