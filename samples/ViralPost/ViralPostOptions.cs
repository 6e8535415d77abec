using ViralPost.Load;

namespace ViralPost;

internal sealed record ViralPostOptions(
    IReadOnlyList<Scenario> Scenarios,
    IReadOnlyList<string> Strategies,
    int Concurrency,
    TimeSpan DatabaseLatency,
    int Port,
    string? Postgres,
    string? JsonPath,
    bool Serve);
