using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>The laws hold while everything is measured, traced and logged by listeners that always throw.</summary>
/// <remarks>It runs apart from other tests, because such listeners belong to the whole process and would disturb measurements that other tests await.</remarks>
[CollectionDefinition(nameof(ListenedToContractTests), DisableParallelization = true)]
[Collection(nameof(ListenedToContractTests))]
public sealed class ListenedToContractTests : HostedSingleflightContractTests
{
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities = new()
    {
        ShouldListenTo = source => source.Name == SingleflightTelemetry.ActivitySourceName,
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        ActivityStarted = _ => throw new InvalidOperationException("This listener fails at the start of a span."),
        ActivityStopped = _ => throw new InvalidOperationException("This listener fails at the end of a span."),
    };

    public override ValueTask InitializeAsync()
    {
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == SingleflightTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("This listener fails at a measurement."));
        _meters.SetMeasurementEventCallback<int>((_, _, _, _) => throw new InvalidOperationException("This listener fails at a measurement."));
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
