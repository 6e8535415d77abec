using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Hosting;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>A registered instance with its logs, spans and metrics.</summary>
public abstract class TelemetryFixture : IAsyncDisposable
{
    private readonly ActivityListener? _listener;
    private readonly ServiceProvider _provider;

    protected TelemetryFixture(bool traces = false, Action<TelemetryOptions>? configure = null, Action<SingleflightOptions>? options = null, bool debugs = true)
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddLogging(logging => logging.AddFakeLogging().SetMinimumLevel(debugs ? LogLevel.Trace : LogLevel.Information));
        services.AddSingleflight(Name, own =>
        {
            own.TimeProvider = Clock;
            options?.Invoke(own);
        }).WithTelemetry(configure ?? (static _ => { }));
        _provider = services.BuildServiceProvider();
        Singleflight = _provider.GetRequiredKeyedService<ISingleflight>(Name);
        if (!traces) return;

        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is SingleflightTelemetry.ActivitySourceName or nameof(TelemetryFixture),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => Spans.Enqueue(activity),
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>A name for this test alone, which distinguishes its spans from those of concurrent tests.</summary>
    protected string Name { get; } = $"test-{Guid.NewGuid():N}";

    protected FakeTimeProvider Clock { get; } = new();

    protected ISingleflight Singleflight { get; }

    protected SingleflightInstance Instance => _provider.GetServices<SingleflightInstance>().Single();

    protected FakeLogCollector Logs => _provider.GetFakeLogCollector();

    protected ConcurrentQueue<Activity> Spans { get; } = new();

    protected Backend<int> Backend { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync(Clock);
        _listener?.Dispose();
        GC.SuppressFinalize(this);
    }

    protected IMeterFactory Meters => _provider.GetRequiredService<IMeterFactory>();

    protected MetricCollector<T> Collect<T>(string instrument)
        where T : struct =>
        new(Meters, SingleflightTelemetry.MeterName, instrument);

    protected List<FakeLogRecord> Logged(int id) => [.. Logs.GetSnapshot().Where(entry => entry.Id.Id == id)];
}
