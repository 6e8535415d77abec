namespace RequestCoalescing.Caching;

/// <summary>Options of <see cref="CoalescingHybridCache"/>. The settings are in <c>Singleflight[:name]:HybridCache</c>.</summary>
public sealed class CoalescingHybridCacheOptions
{
    /// <summary>
    /// How long an entry lives that a call sets no expiration for. Set it to the default of the inner cache. Early refresh needs it. Range: 1 second to 365 days.
    /// Default: 5 minutes, as in HybridCache.
    /// </summary>
    public TimeSpan DefaultExpiration { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long a failed load is remembered, if <see cref="RemembersFailure"/> chooses its error. Callers get the error without a new load meanwhile.
    /// Range: 0 (off) to 1 day. Default: 0.
    /// </summary>
    public TimeSpan FailureDuration { get; set; }

    /// <summary>How long a result is stored that <see cref="IsNotFound"/> chooses. Range: 0 (as any other result) to 1 day. Default: 0.</summary>
    public TimeSpan NotFoundDuration { get; set; }

    /// <summary>
    /// The share by which <see cref="FailureDuration"/> and <see cref="NotFoundDuration"/> vary at random, so that entries that were made together do
    /// not expire together. Range: 0 to 1. Default: 0.1.
    /// </summary>
    public double Jitter { get; set; } = 0.1;

    /// <summary>
    /// Refreshes entries before they expire. This is the β of XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention,
    /// 2015). 1 is a good value, and higher values refresh earlier. Each hit draws a random number. The nearer the expiry and the longer the last
    /// load took, the more likely the hit starts a refresh. Only entries that this process has loaded are refreshed. The refresh runs the work of
    /// the caller that starts it, also after that caller's request has ended. Range: 0 (off) to 100. Default: 0.
    /// </summary>
    public double EarlyRefresh { get; set; }

    /// <summary>
    /// How long after its expiry a value may still be returned, if its load fails or is slow. The inner cache keeps a second copy of each value for
    /// this. A removal drops it. Range: 0 (off) to 365 days. Default: 0.
    /// </summary>
    public TimeSpan StaleFor { get; set; }

    /// <summary>
    /// How long a caller waits for a load before it gets the expired value, if <see cref="StaleFor"/> has kept one. The load goes on. Range: 0 (until the load
    /// ends) to 1 day. Default: 0.
    /// </summary>
    public TimeSpan SlowAfter { get; set; }

    /// <summary>Chooses the errors that are remembered. Null for all errors except cancellations. It must not throw.</summary>
    public Func<Exception, bool>? RemembersFailure { get; set; }

    /// <summary>Chooses the results that mean "not found". Null for null results. It must not throw.</summary>
    public Func<object?, bool>? IsNotFound { get; set; }

    /// <summary>
    /// Copies a result for each caller that got it from a load and not from the cache, for example if callers change their results. Null if callers
    /// share results. Called for objects only.
    /// </summary>
    public Func<object, object>? CloneResult { get; set; }

    internal void Validate()
    {
        ThrowIfOutside(DefaultExpiration, TimeSpan.FromSeconds(1), TimeSpan.FromDays(365), nameof(DefaultExpiration));
        ThrowIfOutside(FailureDuration, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(FailureDuration));
        ThrowIfOutside(NotFoundDuration, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(NotFoundDuration));
        ThrowIfOutside(StaleFor, TimeSpan.Zero, TimeSpan.FromDays(365), nameof(StaleFor));
        ThrowIfOutside(SlowAfter, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(SlowAfter));
        if (Jitter is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(Jitter), Jitter, "It must be from 0 to 1.");
        if (EarlyRefresh is not (>= 0 and <= 100)) throw new ArgumentOutOfRangeException(nameof(EarlyRefresh), EarlyRefresh, "It must be from 0 to 100.");
    }

    private static void ThrowIfOutside(TimeSpan value, TimeSpan least, TimeSpan most, string name)
    {
        if (value < least || value > most) throw new ArgumentOutOfRangeException(name, value, $"It must be from {least:c} to {most:c}.");
    }
}
