using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>This library as dependency injection provides it: with rollout and telemetry around the engine, and with or without a listener.</summary>
internal static class Registered
{
    public static ISingleflight Create(bool subscribesToMetrics, bool subscribesToSpans)
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddLogging();
        services.AddSingleflight();
        var provider = services.BuildServiceProvider();
        if (subscribesToMetrics) ListenToMetrics(provider.GetRequiredService<IMeterFactory>());
        if (subscribesToSpans) ListenToSpans();
        return provider.GetRequiredService<ISingleflight>();
    }

    private static void ListenToMetrics(IMeterFactory factory)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        listener.SetMeasurementEventCallback<int>(static (_, _, _, _) => { });
        listener.Start();
    }

    private static void ListenToSpans() => ActivitySource.AddActivityListener(new ActivityListener
    {
        ShouldListenTo = static source => source.Name == SingleflightTelemetry.ActivitySourceName,
        Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
    });
}
