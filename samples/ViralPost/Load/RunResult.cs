using System.Text.Json.Serialization;

namespace ViralPost.Load;

/// <summary>What came of a run.</summary>
internal sealed record RunResult(
    string Scenario,
    string Strategy,
    int Requests,
    long BackendQueries,
    double P50Ms,
    double P99Ms,
    double MaxMs,
    int Failures)
{
    [JsonIgnore]
    public double RequestsPerSecond { get; init; }

    [JsonIgnore]
    public double Reduction => BackendQueries == 0 ? Requests : (double)Requests / BackendQueries;
}
