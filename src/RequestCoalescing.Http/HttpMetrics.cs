using System.Collections.Immutable;
using System.Diagnostics.Metrics;

namespace RequestCoalescing.Http;

/// <summary>The instruments of shared bodies, how many arrive now and how much of them is in memory, and of requests that were rejected.</summary>
internal sealed class HttpMetrics
{
    private ImmutableArray<(HttpCoalescer Coalescer, KeyValuePair<string, object?> Name)> _coalescers = [];

    public HttpMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(new MeterOptions(SingleflightTelemetry.MeterName) { Version = typeof(SingleflightTelemetry).Assembly.GetName().Version?.ToString(3) });
        meter.CreateObservableGauge("singleflight.http.bodies", () => Read(static coalescer => coalescer.Streaming), "{body}", "Shared bodies that arrive now.");
        meter.CreateObservableGauge("singleflight.http.buffered", () => Read(static coalescer => coalescer.BufferedBytes), "By", "Bytes of shared bodies in memory.");
        meter.CreateObservableCounter("singleflight.http.rejected", () => Read(static coalescer => coalescer.Rejected), "{request}", "Requests that MaxAlone has rejected.");
    }

    public void Add(string name, HttpCoalescer coalescer) =>
        ImmutableInterlocked.Update(ref _coalescers, static (all, added) => all.Add(added), (coalescer, new KeyValuePair<string, object?>("singleflight.name", name)));

    private IEnumerable<Measurement<long>> Read(Func<HttpCoalescer, long> value) => _coalescers.Select(entry => new Measurement<long>(value(entry.Coalescer), entry.Name));
}
