namespace RequestCoalescing.Telemetry;

/// <summary>How long the flights of an instance took and its callers waited. Nothing is recorded until a history asks for it.</summary>
internal sealed class Latencies
{
    // With more calls a second than this, a share of them is measured.
    private const int MeasuredWaitsPerSecond = 256;

    private int _stride;

    public LatencyHistogram Flights { get; } = new();

    public LatencyHistogram Waits { get; } = new();

    public bool IsWatched => Volatile.Read(ref _stride) > 0;

    /// <summary>Records from now on.</summary>
    /// <param name="callsPerSecond">How many calls there have been lately. About 256 waits a second are measured.</param>
    public void Watch(double callsPerSecond) => Volatile.Write(ref _stride, Math.Max(1, (int)Math.Min(1_000_000, callsPerSecond / MeasuredWaitsPerSecond)));

    /// <summary>Whether the wait of a call that arrives now is to be recorded.</summary>
    /// <param name="isMeasured">Whether it is measured anyway.</param>
    /// <returns>How many waits it stands for; 0 if it is not to be recorded.</returns>
    public int WeightOfWait(bool isMeasured)
    {
        var stride = Volatile.Read(ref _stride);
        if (stride <= 1) return stride;
        if (isMeasured) return 1;
        return Random.Shared.Next(stride) == 0 ? stride : 0;
    }
}
