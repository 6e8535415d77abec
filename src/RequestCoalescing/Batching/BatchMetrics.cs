using System.Diagnostics.Metrics;

namespace RequestCoalescing.Batching;

/// <summary>The instruments of batch loaders. They are recorded once a call of a backend, except for the waits.</summary>
internal sealed class BatchMetrics
{
    public BatchMetrics(Meter meter)
    {
        var seconds = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };
        var keys = new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] };
        Size = meter.CreateHistogram("singleflight.batch.size", "{key}", "How many keys calls of a backend had.", tags: null, keys);
        Wait = meter.CreateHistogram("singleflight.batch.wait", "s", "How long keys waited for the take-off of their batch.", tags: null, seconds);
        Calls = meter.CreateCounter<long>("singleflight.batch.calls", "{call}", "Calls of a backend that are over, by outcome.");
        Missing = meter.CreateCounter<long>("singleflight.batch.missing", "{key}", "Keys that the backend did not answer.");
        Duplicates = meter.CreateCounter<long>("singleflight.batch.duplicates", "{answer}", "Answers for keys that had been answered already.");
        Unasked = meter.CreateCounter<long>("singleflight.batch.unasked", "{answer}", "Answers for keys that were not asked.");
    }

    public Histogram<int> Size { get; }

    public Histogram<double> Wait { get; }

    public Counter<long> Calls { get; }

    public Counter<long> Missing { get; }

    public Counter<long> Duplicates { get; }

    public Counter<long> Unasked { get; }
}
