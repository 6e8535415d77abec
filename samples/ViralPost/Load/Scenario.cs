using ViralPost.Strategies;

namespace ViralPost.Load;

/// <summary>Which requests arrive, and when.</summary>
/// <param name="Name">The name on the command line and in the results.</param>
/// <param name="Title">One line that describes it.</param>
/// <param name="Requests">How many requests arrive.</param>
/// <param name="Over">The time over which they are spread evenly.</param>
/// <param name="Posts">How many different posts they request.</param>
/// <param name="Lifetime">How long a cache keeps a post.</param>
internal sealed record Scenario(string Name, string Title, int Requests, TimeSpan Over, int Posts, TimeSpan Lifetime)
{
    /// <summary>The scenario in which a cached post expires again and again.</summary>
    public const string Expiry = "expiry";

    private const string Burst = "burst";

    private static readonly TimeSpan s_expiryRun = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_expiryLifetime = TimeSpan.FromMilliseconds(250);

    public static IReadOnlyList<string> Names { get; } = ["same", Burst, "spread", Expiry];

    /// <summary>Whether all requests enter the app together.</summary>
    public bool IsBurst => Name == Burst;

    /// <summary>Whether the cache is warm at the start and expires during the run.</summary>
    public bool Expires => Name == Expiry;

    public static Scenario Create(string name, int requests, int connections, int rate) => name switch
    {
        "same" => new(name, $"Cold start: {requests:N0} requests for one post within 1 s", requests, TimeSpan.FromSeconds(1), 1, Strategy.Lifetime),
        Burst => BurstOf(Math.Min(requests, connections)), // a request without a connection would miss the burst
        "spread" => new(name, $"Cold start: {requests:N0} requests for 100 posts within 1 s", requests, TimeSpan.FromSeconds(1), 100, Strategy.Lifetime),
        Expiry => new(
            name,
            $"Expiry: {rate:N0} requests/s for one post, kept for {s_expiryLifetime.TotalMilliseconds} ms",
            (int)(rate * s_expiryRun.TotalSeconds),
            s_expiryRun,
            1,
            s_expiryLifetime),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "No scenario has this name."),
    };

    /// <summary>Whether the scenario applies to the strategy. Only a cache can expire.</summary>
    public bool IsFor(string strategy) => !Expires || Strategy.HasCache(strategy);

    public long PostOf(int request) => 1 + (request % Posts);

    private static Scenario BurstOf(int requests) =>
        new(Burst, $"Cold burst: {requests:N0} requests for one post enter at once", requests, TimeSpan.FromMilliseconds(50), 1, Strategy.Lifetime);
}
