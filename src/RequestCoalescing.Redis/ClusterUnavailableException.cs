namespace RequestCoalescing;

/// <summary>Redis cannot be reached, and <see cref="RedisSingleflightOptions.OnOutage"/> says to fail.</summary>
public sealed class ClusterUnavailableException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="innerException">What the last attempt failed with.</param>
    public ClusterUnavailableException(Exception? innerException)
        : base("Redis cannot be reached, so that the call cannot be coalesced across the cluster.", innerException)
    {
    }
}
