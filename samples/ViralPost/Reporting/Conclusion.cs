using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>The sentences under a table, made from its figures.</summary>
internal static class Conclusion
{
    private const string Both = "cache+singleflight";
    private static readonly string[] s_compared = [Both, "cache", "singleflight"];

    /// <summary>Compares a cache, a singleflight and the two together, or whichever strategies were run.</summary>
    public static string Of(Scenario scenario, IReadOnlyList<RunResult> results)
    {
        var clauses = s_compared.SelectMany(name => results.Where(result => result.Strategy == name)).Select(result => Clause(scenario, result)).ToList();
        if (clauses.Count == 0) clauses.AddRange(results.Select(result => Clause(scenario, result)));
        if (scenario.Posts > 1 && HowMuchSlowerTheLockIs(results) is { } factor)
        {
            clauses.Add($"behind the global lock posts wait for each other, which makes its p99 {factor:N1} times as long");
        }

        var sentence = string.Join("; ", clauses);
        return $"{char.ToUpperInvariant(sentence[0])}{sentence[1..]}.";
    }

    /// <summary>Compares the load with the scenario's. Null if it was as planned.</summary>
    public static string? LoadOf(Scenario scenario, IReadOnlyList<RunResult> results)
    {
        if (scenario.Expires)
        {
            var achieved = results.Select(result => $"{result.RequestsPerSecond:N0} with {result.Strategy}");
            return $"Requests/s achieved: {string.Join(", ", achieved)}.";
        }

        if (scenario.IsBurst)
        {
            var (fastest, slowest) = (results.Min(result => result.SentWithinMs), results.Max(result => result.SentWithinMs));
            return $"The requests entered within {(fastest < slowest ? $"{fastest:N0} to {slowest:N0}" : $"{slowest:N0}")} ms; the target is {scenario.Over.TotalMilliseconds:N0} ms.";
        }

        var late = results
            .Where(result => result.SentWithinMs > 1.1 * scenario.Over.TotalMilliseconds)
            .Select(result => $"{result.SentWithinMs / 1000:N1} s with {result.Strategy}")
            .ToList();
        return late.Count > 0 ? $"The last request got its connection late: after {string.Join(", ", late)}." : null;
    }

    private static string Clause(Scenario scenario, RunResult result)
    {
        var unit = scenario.Expires ? " for each expiry" : scenario.Posts > 1 ? " for each post" : "";
        var atOnce = result.MostAtOnce > 1 ? $", up to {result.MostAtOnce:N0} at once"
            : result.QueriesPerFetch > 1 ? ", one at a time"
            : "";
        return $"{Subject(result)} sent {Wording.Queries(result.QueriesPerFetch)}{unit}{atOnce}";
    }

    private static string Subject(RunResult result) => result.Strategy switch
    {
        Both => "cache and singleflight together",
        "cache" => "the cache alone",
        "singleflight" when result.QueriesPerFetch > 1 => "singleflight alone keeps no answer and",
        "singleflight" => "singleflight alone",
        "global-lock" => "the global lock",
        _ => "the app without protection",
    };

    private static double? HowMuchSlowerTheLockIs(IReadOnlyList<RunResult> results)
    {
        var both = results.FirstOrDefault(result => result.Strategy == Both);
        var globalLock = results.FirstOrDefault(result => result.Strategy == "global-lock");
        return both is not null && globalLock is not null && globalLock.P99Ms > 1.1 * both.P99Ms ? globalLock.P99Ms / both.P99Ms : null;
    }
}
