using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Cluster;

/// <summary>Counts the problems of this node, as the library's meter reports them.</summary>
internal sealed class Counts : IDisposable
{
    private static readonly string[] s_names = ["singleflight.redis.lost_leases", "singleflight.redis.takeovers", "singleflight.redis.outage_flights"];
    private readonly ConcurrentDictionary<string, long> _counts = new();
    private readonly MeterListener _listener = new()
    {
        InstrumentPublished = static (instrument, listener) =>
        {
            if (s_names.Contains(instrument.Name)) listener.EnableMeasurementEvents(instrument);
        },
    };

    public Counts()
    {
        _listener.SetMeasurementEventCallback<long>((instrument, count, _, _) => _counts.AddOrUpdate(instrument.Name, count, (_, before) => before + count));
        _listener.Start();
    }

    /// <summary>Returns the counts since the last call as text. Empty if there were no problems.</summary>
    public string Read() => string.Join(", ", s_names.Select(name => (Name: name["singleflight.redis.".Length..].Replace('_', ' '), Count: _counts.TryRemove(name, out var count) ? count : 0))
        .Where(count => count.Count > 0)
        .Select(count => $"{count.Count} {count.Name}"));

    public void Dispose() => _listener.Dispose();
}
