namespace ViralPost;

internal sealed record ViralPostOptions(
    int Requests,
    int Concurrency,
    TimeSpan DatabaseLatency,
    int Port,
    IReadOnlyList<string> Strategies,
    string? Postgres,
    string? JsonPath,
    bool Serve);
