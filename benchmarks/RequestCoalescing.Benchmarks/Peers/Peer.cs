using System.Collections.Concurrent;
using StackExchange.Redis;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>A library that makes concurrent calls for one key share one run. If it can, it caches nothing afterwards.</summary>
/// <remarks>
/// No peer's calls are inlined into the loops of the scenarios, as an application seldom calls in a loop. The code of a call is then the same in every
/// scenario.
/// </remarks>
public abstract class Peer
{
    public const string Key = "post:12345";
    public const string Value = "a post";

    private const string Redis = "through Redis, ";

    private static readonly ConcurrentDictionary<string, Peer> s_peers = new();

    /// <summary>The names of this library and of those that it is compared with.</summary>
    public static IReadOnlyList<string> Names { get; } = ["RequestCoalescing", "HybridCache", "FusionCache", "Lazy<Task>"];

    /// <summary>The name of this library as a node of a cluster, which a Redis server coordinates.</summary>
    public static string NameThroughRedis(string server) => Redis + server;

    /// <summary>Returns a peer, which is created when its name is first used.</summary>
    public static Peer Named(string name) => s_peers.GetOrAdd(name, Create);

    /// <summary>A call that leads, with work that completes at once.</summary>
    public abstract ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken);

    /// <summary>A call that leads or joins, with work that completes when the task does.</summary>
    public abstract ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken);

    /// <summary>Waits until the work of a call has begun, if it does not begin within the call.</summary>
    /// <param name="work">The work, whose state is a <see cref="ManualResetEventSlim"/>.</param>
    public virtual void WaitForBegin(Task<string> work)
    {
    }

    private static Peer Create(string name) => name switch
    {
        "RequestCoalescing" => new Ours(),
        "HybridCache" => new Hybrid(),
        "FusionCache" => new Fusion(),
        "Lazy<Task>" => new LazyTasks(),
        "engine, as ISingleflight" => new ByInterface(new Singleflight()),
        "registered" => new ByInterface(Registered.Create(subscribesToMetrics: false, subscribesToSpans: false)),
        "registered, metrics" => new ByInterface(Registered.Create(subscribesToMetrics: true, subscribesToSpans: false)),
        "registered, metrics and spans" => new ByInterface(Registered.Create(subscribesToMetrics: true, subscribesToSpans: true)),
        _ when name.StartsWith(Redis, StringComparison.Ordinal) => new ThroughRedis(new RedisSingleflight(ConnectionMultiplexer.Connect(name[Redis.Length..]))),
        _ => throw new ArgumentException($"There is no peer '{name}'."),
    };
}
