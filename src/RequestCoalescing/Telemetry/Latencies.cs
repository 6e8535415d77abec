namespace RequestCoalescing.Telemetry;

/// <summary>The durations of an instance's flights, and of its callers' waits. Nothing is recorded before a history calls <see cref="Watch"/>.</summary>
internal sealed class Latencies
{
    // If there are more calls a second than this, only a share of them is measured.
    private const int MeasuredWaitsPerSecond = 256;

    private int _stride;

    public LatencyHistogram Flights { get; } = new();

    public LatencyHistogram Waits { get; } = new();

    public bool IsWatched => Volatile.Read(ref _stride) > 0;

    /// <summary>Turns recording on, and sets the share of waits that are recorded.</summary>
    /// <param name="callsPerSecond">The recent rate of calls. About 256 waits a second are recorded.</param>
    public void Watch(double callsPerSecond) => Volatile.Write(ref _stride, Math.Max(1, (int)Math.Min(1_000_000, callsPerSecond / MeasuredWaitsPerSecond)));

    /// <summary>Decides whether the wait of an arriving call is recorded.</summary>
    /// <param name="isMeasured">Whether the wait is measured for another reason.</param>
    /// <returns>The number of waits that this one stands for, or 0 if it is not recorded.</returns>
    public int WeightOfWait(bool isMeasured)
    {
        var stride = Volatile.Read(ref _stride);
        if (stride <= 1) return stride;
        if (isMeasured) return 1;
        return Random.Shared.Next(stride) == 0 ? stride : 0;
    }
}
