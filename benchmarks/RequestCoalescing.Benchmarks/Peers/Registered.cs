using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>This library as dependency injection provides it: with rollout and telemetry around the engine, and with or without a listener.</summary>
public sealed class Hosted : Peer
{
    private readonly ISingleflight _singleflight;
    private readonly string _name;

    public Hosted(string name, bool subscribesToMetrics)
    {
        _name = name;
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddLogging();
        services.AddSingleflight();
        var provider = services.BuildServiceProvider();
        _singleflight = provider.GetRequiredService<ISingleflight>();
        if (!subscribesToMetrics) return;

        var factory = provider.GetRequiredService<IMeterFactory>();
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

    public override string Name => _name;

    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        _singleflight.ExecuteAsync(key, static _ => new ValueTask<string>(Value), cancellationToken);

    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        _singleflight.ExecuteAsync(key, work, static (work, _) => new ValueTask<string>(work), cancellationToken);
}
