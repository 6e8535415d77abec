namespace RequestCoalescing;

/// <summary>The flights that failed or timed out with one type of exception.</summary>
public sealed class SingleflightFailureGroup
{
    internal SingleflightFailureGroup(string errorType, string? message, string key, DateTimeOffset lastAt, long recentCount, long count) =>
        (ErrorType, Message, Key, LastAt, RecentCount, Count) = (errorType, message, key, lastAt, recentCount, count);

    /// <summary>The full name of the type of the innermost exception, which is the cause.</summary>
    public string ErrorType { get; }

    /// <summary>
    /// The first line of that exception's message, at most 200 characters, of one of the latest failures. Words of the key are replaced by an
    /// ellipsis, unless keys are shown as they are. Null if there is no message, or if it names keys of other flights.
    /// </summary>
    public string? Message { get; }

    /// <summary>The key of the latest flight that failed so, redacted as in logs.</summary>
    public string Key { get; }

    /// <summary>When the latest flight failed so.</summary>
    public DateTimeOffset LastAt { get; }

    /// <summary>How many flights failed so in the last ten minutes.</summary>
    public long RecentCount { get; }

    /// <summary>How many flights have failed so since the start, or since the type was seen again after it had been pushed out by others: 20 types are kept.</summary>
    public long Count { get; }
}
