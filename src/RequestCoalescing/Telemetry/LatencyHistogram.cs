namespace RequestCoalescing.Telemetry;

/// <summary>Counts durations in buckets. The counts only grow, so that the difference of two snapshots gives the durations between them.</summary>
internal sealed class LatencyHistogram
{
    // Twenty buckets for each factor of ten, from 0.1 ms to 1,000 s. The error of a quantile is at most 6 %.
    private const int PerDecade = 20;
    private const double SmallestMs = 0.1;
    private const int Buckets = (7 * PerDecade) + 2;

    /// <summary>Durations from here on are in the last bucket, and look alike.</summary>
    public static readonly TimeSpan Largest = TimeSpan.FromSeconds(1_000);

    private readonly long[] _counts = new long[Buckets];

    /// <summary>Counts a duration.</summary>
    /// <param name="duration">The duration.</param>
    /// <param name="weight">The number of durations that this one stands for.</param>
    public void Record(TimeSpan duration, int weight = 1) => Interlocked.Add(ref _counts[BucketOf(duration)], weight);

    /// <summary>Copies the counts.</summary>
    /// <param name="before">An earlier snapshot, or null. If nothing has been counted since, it is returned, and no copy is made.</param>
    public long[] Snapshot(long[]? before)
    {
        if (before is not null && _counts.AsSpan().SequenceEqual(before)) return before;
        return [.. _counts];
    }

    /// <summary>Returns the quantiles between two snapshots, or null if nothing was counted between them.</summary>
    public static SingleflightLatency? Between(long[] before, long[] after)
    {
        if (ReferenceEquals(before, after)) return null;
        var counts = new long[Buckets];
        for (var i = 0; i < Buckets; i++) counts[i] = after[i] - before[i];
        var total = counts.Sum();
        return total == 0 ? null : new SingleflightLatency(total, Quantile(0.5), Quantile(0.95), Quantile(0.99));

        TimeSpan Quantile(double share)
        {
            var (bucket, seen) = (0, counts[0]);
            while (seen < share * total && bucket < Buckets - 1) seen += counts[++bucket];
            return TimeSpan.FromMilliseconds(SmallestMs * Math.Pow(10, (bucket - 0.5) / PerDecade)); // the middle of the bucket
        }
    }

    private static int BucketOf(TimeSpan duration) =>
        duration.TotalMilliseconds <= SmallestMs ? 0 : Math.Min(Buckets - 1, (int)Math.Ceiling(Math.Log10(duration.TotalMilliseconds / SmallestMs) * PerDecade));
}
