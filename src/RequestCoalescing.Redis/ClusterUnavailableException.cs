namespace RequestCoalescing;

/// <summary>Thrown when Redis cannot be reached and <see cref="RedisSingleflightOptions.OnOutage"/> is <see cref="OutageBehavior.Fail"/>.</summary>
public sealed class ClusterUnavailableException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="innerException">The error of the last attempt.</param>
    public ClusterUnavailableException(Exception? innerException)
        : base("Redis cannot be reached, so that the call cannot be coalesced across the cluster.", innerException)
    {
    }
}
