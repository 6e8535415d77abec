namespace ViralPost.Load;

/// <summary>The result of a run: a row of the table, and an object of the JSON.</summary>
/// <param name="Scenario">The name of the scenario.</param>
/// <param name="Strategy">The name of the strategy.</param>
/// <param name="Requests">The requests that were sent.</param>
/// <param name="BackendQueries">The queries that the strategy sent to the database.</param>
/// <param name="Fetches">How often a post had to be fetched: once for each post of a cold start, or once for each expiry.</param>
/// <param name="MostAtOnce">The most queries that were in flight at once.</param>
/// <param name="DatabaseBusyMs">Milliseconds during which at least one query was in flight.</param>
/// <param name="P50Ms">The median latency in milliseconds, from the moment at which the request was due or the door of a burst opened.</param>
/// <param name="P99Ms">The latency that 99 % of the requests did not exceed, in milliseconds.</param>
/// <param name="MaxMs">The longest latency in milliseconds.</param>
/// <param name="Failures">The requests that got no answer, or an error.</param>
/// <param name="SentWithinMs">Milliseconds until the last request had left, or in a burst, until it had entered the app.</param>
/// <param name="RequestsPerSecond">The requests divided by the time until the last answer.</param>
internal sealed record RunResult(
    string Scenario,
    string Strategy,
    int Requests,
    int BackendQueries,
    int Fetches,
    int MostAtOnce,
    double DatabaseBusyMs,
    double P50Ms,
    double P99Ms,
    double MaxMs,
    int Failures,
    double SentWithinMs,
    double RequestsPerSecond)
{
    /// <summary>The queries divided by the number of necessary fetches. The minimum is 1.</summary>
    public double QueriesPerFetch => Fetches == 0 ? BackendQueries : Math.Round((double)BackendQueries / Fetches, 1);
}
