using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>The laws hold while everything is measured, traced and logged, by listeners that fail at every turn.</summary>
/// <remarks>Not beside other tests: such listeners are the whole process's, and keep the measurements from those that others await.</remarks>
[CollectionDefinition(nameof(ListenedToContractTests), DisableParallelization = true)]
[Collection(nameof(ListenedToContractTests))]
public sealed class ListenedToContractTests : HostedSingleflightContractTests
{
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities = new()
    {
        ShouldListenTo = source => source.Name == SingleflightTelemetry.ActivitySourceName,
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        ActivityStarted = _ => throw new InvalidOperationException("A span's start is not wanted."),
        ActivityStopped = _ => throw new InvalidOperationException("Nor its end."),
    };

    public override ValueTask InitializeAsync()
    {
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == SingleflightTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("A measurement is not wanted."));
        _meters.SetMeasurementEventCallback<int>((_, _, _, _) => throw new InvalidOperationException("A measurement is not wanted."));
        _meters.Start();
        ActivitySource.AddActivityListener(_activities);
        return base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        _meters.Dispose();
        _activities.Dispose();
        await base.DisposeAsync();
    }

    protected override void Configure(IServiceCollection services) => services.AddSingleton<ILoggerProvider, FailingLogs>();
}
