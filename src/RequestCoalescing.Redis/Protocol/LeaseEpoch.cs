namespace RequestCoalescing.Redis.Protocol;

/// <summary>The time between two requests for a lease.</summary>
/// <remarks>The next epoch begins first, and then the clock is read. So a caller that has seen this epoch came before <see cref="Until"/>.</remarks>
internal sealed class LeaseEpoch
{
    private long _until;

    /// <summary>The time at which the request that ended the epoch was sent, as a timestamp. 0 if there is none.</summary>
    public long Until => Volatile.Read(ref _until);

    public void EndAt(long until) => Volatile.Write(ref _until, until);
}
