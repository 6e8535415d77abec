namespace RequestCoalescing;

/// <summary>Options of <c>WithHedging</c>. The settings are in <c>Singleflight[:name]:Hedging</c>, and follow reloads.</summary>
public sealed class HedgingOptions
{
    /// <summary>
    /// How long a flight takes before a second run starts beside it. Set it to about the 95th percentile of your flights (Dean, Barroso: The Tail at
    /// Scale, 2013). Default: 1 second. Range: 1 millisecond to 24 days.
    /// </summary>
    public TimeSpan HedgeAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The share of flights that may have a second run, so that a backend that is slow for all flights does not get twice the load. Ten second runs are
    /// saved up at the start, and up to ten later on. Default: 0.1. Range: 0 (off) to 1.
    /// </summary>
    public double MaxShare { get; set; } = 0.1;

    internal void Validate()
    {
        if (HedgeAfter < TimeSpan.FromMilliseconds(1) || HedgeAfter > TimeSpan.FromDays(24)) throw new ArgumentOutOfRangeException(nameof(HedgeAfter), HedgeAfter, "It must be from 1 millisecond to 24 days.");
        if (MaxShare is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(MaxShare), MaxShare, "It must be from 0 to 1.");
    }
}
