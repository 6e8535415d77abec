namespace Patterns;

/// <summary>One pattern: a short example that runs, and measures how often its backend was asked.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Description">One sentence for the help.</param>
/// <param name="RunAsync">Runs it. It writes lines that explain what happens.</param>
internal sealed record Pattern(string Name, string Description, Func<TextWriter, CancellationToken, Task<Outcome>> RunAsync)
{
    public static IReadOnlyList<Pattern> All { get; } =
    [
        new("database", "Requests for one row share a query.", DatabasePattern.RunAsync),
        new("keys", "Two users never share a result, because the compiler makes the key.", KeysPattern.RunAsync),
        new("batch", "Requests for different rows share a query.", BatchPattern.RunAsync),
        new("cache", "An entry expires, and all misses share a load.", CachePattern.RunAsync),
        new("rate-limit", "Users of one page use up one request of an API's limit.", RateLimitPattern.RunAsync),
        new("report", "Impatient clicks share a PDF that is being rendered.", ReportPattern.RunAsync),
        new("negative-cache", "The cache also remembers that a row does not exist.", NegativeCachePattern.RunAsync),
        new("circuit-breaker", "A failed call is retried once for all, and counts once.", CircuitBreakerPattern.RunAsync),
        new("stream", "Readers of one generated answer share it, token by token.", StreamPattern.RunAsync),
        new("rows", "Readers of one long query share its rows.", RowsPattern.RunAsync),
        new("freshness", "After a write, no reader gets the old value.", FreshnessPattern.RunAsync),
    ];
}
