using System.Diagnostics.Metrics;

namespace RequestCoalescing.Caching;

/// <summary>The counters of the caching package. Their meter is <see cref="MeterName"/>.</summary>
internal sealed class CacheMetrics(IMeterFactory? factory, string instance)
{
    public const string MeterName = "RequestCoalescing.Caching";

    private static readonly Meter s_meter = new(MeterName);

    private readonly KeyValuePair<string, object?> _name = new("singleflight.name", instance);
    private readonly Counter<long> _rememberedFailures = MeterOf(factory).CreateCounter<long>("singleflight.cache.remembered_failures", "{call}", "Calls that got the remembered error of an earlier load.");
    private readonly Counter<long> _notFound = MeterOf(factory).CreateCounter<long>("singleflight.cache.not_found", "{load}", "Loads that found nothing, and whose result was stored for a short time.");
    private readonly Counter<long> _refreshes = MeterOf(factory).CreateCounter<long>("singleflight.cache.early_refreshes", "{load}", "Loads that began before their entry expired.");
    private readonly Counter<long> _notStored = MeterOf(factory).CreateCounter<long>("singleflight.cache.not_stored", "{load}", "Loads whose result was not stored, because the key was removed or set after the load had begun.");
    private readonly Counter<long> _stale = MeterOf(factory).CreateCounter<long>("singleflight.cache.stale", "{call}", "Calls that got an expired value, because their load failed or was slow.");

    public void RememberedFailure() => Count(_rememberedFailures);

    public void NotFound() => Count(_notFound);

    public void Refresh() => Count(_refreshes);

    public void NotStored() => Count(_notStored);

    /// <param name="reason">"slow" or "failed".</param>
    public void Stale(string reason) => Count(_stale, new KeyValuePair<string, object?>("singleflight.reason", reason));

    // A listener that throws must not harm the caller or the load.
    private void Count(Counter<long> counter, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            counter.Add(1, [_name, .. tags]);
        }
        catch (Exception)
        {
            // There is no other place to report it.
        }
    }

    private static Meter MeterOf(IMeterFactory? factory) => factory?.Create(MeterName) ?? s_meter;
}
