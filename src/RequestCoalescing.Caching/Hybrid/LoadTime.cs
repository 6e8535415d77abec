namespace RequestCoalescing.Caching;

/// <summary>The last load of an entry.</summary>
internal sealed class LoadTime(TimeSpan took, DateTimeOffset expiresAt)
{
    private bool _isRefreshing;

    /// <summary>
    /// Decides whether a hit refreshes the entry (XFetch: Vattani, Chierichetti, Lowenstein 2015). At most one hit does so at a time.
    /// </summary>
    /// <param name="now">The time.</param>
    /// <param name="beta">The paper's β.</param>
    /// <param name="random">A random number from 0 to below 1.</param>
    public bool StartsRefresh(DateTimeOffset now, double beta, double random) =>
        now - (took * (beta * Math.Log(1 - random))) >= expiresAt && !Interlocked.Exchange(ref _isRefreshing, true);

    /// <summary>The refresh has ended. If it has failed, a later hit may start another one.</summary>
    public void EndRefresh() => Volatile.Write(ref _isRefreshing, false);
}
