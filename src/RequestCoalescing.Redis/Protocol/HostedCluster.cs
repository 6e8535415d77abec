namespace RequestCoalescing.Redis.Protocol;

/// <summary>What dependency injection hands out beside an instance: the whole instance forgets, and Redis is waited for.</summary>
internal sealed class HostedCluster<TKey>(ISingleflight<TKey> instance, HostedCluster<TKey>.Part part) : IClusterSingleflight<TKey>
    where TKey : notnull
{
    public Task ForgetAsync(TKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        instance.Forget(key);
        return part.Cluster!.ForgottenAsync(key);
    }

    /// <summary>The instance's part that coalesces through Redis; set when the instance is made.</summary>
    public sealed class Part
    {
        public ClusterSingleflight<TKey>? Cluster { get; set; }
    }
}
