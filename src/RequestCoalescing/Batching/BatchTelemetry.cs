using System.Diagnostics;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Batching;

/// <summary>Counts, measures and traces the batches of one loader. A listener that throws does not affect a batch.</summary>
internal sealed class BatchTelemetry(string name, BatchMetrics? metrics)
{
    private const int MaxLinks = 128; // as many as OpenTelemetry keeps of a span's links

    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(name);
    private long _calls;
    private long _failedCalls;
    private long _cancelledCalls;
    private long _keys;
    private long _found;
    private long _missing;
    private long _failed;
    private long _duplicates;
    private long _unasked;
    private long _leftOut;

    public string Name => name;

    public bool MeasuresWaits => metrics?.Wait.Enabled == true;

    /// <summary>The current span, which the span of the batch is linked with. Null if nothing listens.</summary>
    public static Activity? Caller => FlightSpan.Source.HasListeners() ? Activity.Current : null;

    public void CountKeys(int keys) => Interlocked.Add(ref _keys, keys);

    public void CountLeftOut() => Interlocked.Increment(ref _leftOut);

    public void CountUnasked()
    {
        Interlocked.Increment(ref _unasked);
        Guarded(() => metrics?.Unasked.Add(1, _name));
    }

    public void CountDuplicate()
    {
        Interlocked.Increment(ref _duplicates);
        Guarded(() => metrics?.Duplicates.Add(1, _name));
    }

    /// <summary>A key of a batch has its outcome.</summary>
    public void Count<TValue>(in BatchOutcome<TValue> outcome) =>
        Interlocked.Increment(ref outcome.Error is not null ? ref _failed : ref outcome.IsFound ? ref _found : ref _missing);

    public void Waited(TimeSpan wait)
    {
        try
        {
            metrics?.Wait.Record(wait.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // As in Guarded, without a closure for each key.
        }
    }

    /// <summary>A call of the backend begins.</summary>
    /// <param name="keys">How many keys it has.</param>
    /// <param name="callers">The spans of the flights that it is for.</param>
    /// <returns>Its span. Null if nothing listens.</returns>
    public Activity? Start(int keys, IEnumerable<Activity> callers)
    {
        Interlocked.Increment(ref _calls);
        Guarded(() => metrics?.Size.Record(keys, _name));
        try
        {
            if (!FlightSpan.Source.HasListeners()) return null;
            var links = callers.Distinct().Take(MaxLinks).Select(static caller => new ActivityLink(caller.Context));
            return FlightSpan.Source.StartActivity(
                "singleflight.batch", ActivityKind.Internal, parentContext: default, tags: [_name, new("singleflight.batch.size", keys)], links: links);
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>A call of the backend has ended.</summary>
    /// <param name="span">Its span.</param>
    /// <param name="missing">How many keys it has not answered.</param>
    /// <param name="isCancelled">Whether it was cancelled, because no caller waited any more.</param>
    /// <param name="error">Its error, if it failed.</param>
    public void End(Activity? span, int missing, bool isCancelled, Exception? error)
    {
        if (isCancelled) Interlocked.Increment(ref _cancelledCalls);
        else if (error is not null) Interlocked.Increment(ref _failedCalls);
        var outcome = isCancelled ? "cancelled" : error is null ? "success" : "failure";
        Guarded(() =>
        {
            if (metrics is null) return;
            metrics.Calls.Add(1, _name, SingleflightMetrics.OutcomeTag(outcome));
            metrics.Missing.Add(missing, _name);
            metrics.Duplicates.Add(0, _name); // the series exists from the first call on, so that a rate sees its first increase
            metrics.Unasked.Add(0, _name);
        });
        if (span is null) return;
        Guarded(() =>
        {
            span.SetTag("singleflight.outcome", outcome);
            if (error is not null && !isCancelled) span.SetTag("error.type", error.GetType().FullName).SetStatus(ActivityStatusCode.Error);
            span.Stop();
        });
    }

    public BatchLoaderStats ToStats(int pending, int running) => new()
    {
        Pending = pending,
        Running = running,
        Calls = Volatile.Read(ref _calls),
        FailedCalls = Volatile.Read(ref _failedCalls),
        CancelledCalls = Volatile.Read(ref _cancelledCalls),
        Keys = Volatile.Read(ref _keys),
        Found = Volatile.Read(ref _found),
        Missing = Volatile.Read(ref _missing),
        Failed = Volatile.Read(ref _failed),
        Duplicates = Volatile.Read(ref _duplicates),
        Unasked = Volatile.Read(ref _unasked),
        LeftOut = Volatile.Read(ref _leftOut),
    };

    private static void Guarded(Action report)
    {
        try
        {
            report();
        }
        catch (Exception)
        {
            // A listener that fails must not affect the batch.
        }
    }
}
