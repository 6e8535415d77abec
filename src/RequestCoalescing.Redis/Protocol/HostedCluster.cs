namespace RequestCoalescing.Redis.Protocol;

/// <summary>The cluster face of a registered instance. A forget goes through the whole instance, with its decorators, and waits for Redis.</summary>
internal sealed class HostedCluster<TKey>(ISingleflight<TKey> instance, HostedCluster<TKey>.Part part) : IClusterSingleflight<TKey>
    where TKey : notnull
{
    public Task ForgetAsync(TKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        instance.Forget(key);
        return part.Cluster!.ForgottenAsync(key);
    }

    public ValueTask<IAsyncDisposable> TagAsync(TKey key, IReadOnlyCollection<string> tags)
    {
        ArgumentNullException.ThrowIfNull(key);
        return part.Cluster!.TagAsync(key, tags);
    }

    public Task ForgetTagAsync(string tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        return part.Cluster!.ForgetTagAsync(tag, ForgetAsync);
    }

    /// <summary>The decorator of the instance that coalesces through Redis. It is set when the instance is created.</summary>
    public sealed class Part
    {
        public ClusterSingleflight<TKey>? Cluster { get; set; }
    }
}
