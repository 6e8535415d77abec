namespace RequestCoalescing;

/// <summary>The flights that failed or timed out with one type of exception.</summary>
public sealed class SingleflightFailureGroup
{
    internal SingleflightFailureGroup(string errorType, string? message, string key, DateTimeOffset lastAt, long recentCount, long count) =>
        (ErrorType, Message, Key, LastAt, RecentCount, Count) = (errorType, message, key, lastAt, recentCount, count);

    /// <summary>The full name of the type of the innermost exception, which is the cause.</summary>
    public string ErrorType { get; }

    /// <summary>
    /// The first line of the innermost exception's message, at most 200 characters, from one of the latest failures. An ellipsis replaces the words
    /// of the key, unless keys are shown in plain text. Null if there is no message.
    /// </summary>
    public string? Message { get; }

    /// <summary>The key of the latest flight that failed with this type of exception, as logs show it.</summary>
    public string Key { get; }

    /// <summary>The time of the latest failure.</summary>
    public DateTimeOffset LastAt { get; }

    /// <summary>The number of failures in the last ten minutes.</summary>
    public long RecentCount { get; }

    /// <summary>The number of failures since the start. The 20 most recent types are kept; for a type that was dropped and came back, the count starts again.</summary>
    public long Count { get; }
}
