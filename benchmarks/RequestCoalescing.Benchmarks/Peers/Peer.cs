namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>A library that makes concurrent calls for one key share one run. If it can, it caches nothing afterwards.</summary>
public abstract class Peer
{
    public const string Key = "post:12345";
    public const string Value = "a post";

    public static IReadOnlyList<Peer> All { get; } = [new Ours(), new Hybrid(), new Fusion(), new LazyTasks()];

    public abstract string Name { get; }

    /// <summary>A call that leads, with work that completes at once.</summary>
    public abstract ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken);

    /// <summary>A call that leads or joins, with work that completes when the task does.</summary>
    public abstract ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken);
}
