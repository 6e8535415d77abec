using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Telemetry;

/// <summary>Measures how long the callers of an instance wait.</summary>
internal sealed class CallerWaits(SingleflightMetrics metrics, Latencies latencies, TimeProvider clock, string instance)
{
    private readonly bool _isSystemClock = clock == TimeProvider.System; // it is asked without a virtual call, and never throws
    private readonly Histogram<double> _histogram = metrics.CallerWait;
    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(instance);

    /// <summary>Whether any wait is measured.</summary>
    public bool AreMeasured => HaveListener || latencies.IsWatched;

    /// <summary>Whether a listener to the metrics wants the wait of every caller.</summary>
    public bool HaveListener => _histogram.Enabled;

    /// <summary>Decides whether the wait of an arriving call is measured.</summary>
    /// <param name="weight">The number of waits that this one stands for in a history, or 0.</param>
    public bool IsMeasured(out int weight)
    {
        var haveListener = HaveListener;
        weight = latencies.WeightOfWait(haveListener);
        return haveListener || weight > 0;
    }

    /// <returns>Null if the clock throws.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long? NowOrNull() => _isSystemClock ? TimeProvider.System.GetTimestamp() : OwnNowOrNull();

    private long? OwnNowOrNull()
    {
        try
        {
            return clock.GetTimestamp();
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>Records a wait that ends now.</summary>
    public void Record(long start, int weight)
    {
        if (NowOrNull() is { } end) Record(start, end, weight);
    }

    /// <summary>Records the waits of several callers, which a listener wants, each in the caller's context.</summary>
    public void Record(ReadOnlySpan<(long Start, ExecutionContext? Context)> callers, long end)
    {
        var weight = latencies.WeightOfWait(isMeasured: true);
        var own = ExecutionContext.Capture()!;
        foreach (var (start, context) in callers)
        {
            if (context is not null) ExecutionContext.Restore(context);
            Record(start, end, weight);
            ExecutionContext.Restore(own);
        }
    }

    private void Record(long start, long end, int weight)
    {
        try
        {
            var waited = clock.GetElapsedTime(start, end);
            if (weight > 0) latencies.Waits.Record(waited, weight);
            _histogram.Record(waited.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // A clock or a meter listener that throws must not harm the caller.
        }
    }
}
