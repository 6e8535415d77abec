using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>If nothing is sampled, a flight allocates no more with listeners than without.</summary>
[Collection(nameof(UntracedTests))]
public sealed class UnsampledTests() : TelemetryFixture(debugs: false)
{
    private static readonly ActivitySource s_source = new(nameof(UnsampledTests));

    [Fact]
    public async Task A_flight_that_is_not_sampled_allocates_nothing_for_telemetry()
    {
        Fly();
        var untraced = Fly();
        using var listener = Listen(ActivitySamplingResult.None);
        Assert.Null(await Singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(Activity.Current)));
        Fly();
        var unsampled = Fly();
        Assert.True(unsampled - untraced - AskForSpans() <= 8);
    }

    [Fact]
    public async Task A_follower_of_a_flight_that_is_not_sampled_allocates_nothing_for_telemetry()
    {
        using var listener = Listen(ActivitySamplingResult.None);
        using var request = new Activity("request").Start();
        var leader = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        var run = await Backend.NextRunAsync();
        var first = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask(); // from here on, followers share one task
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++) _ = Singleflight.ExecuteAsync("a", Backend.RunAsync);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 1_000, 0, 100);
        run.Succeed(1);
        await Task.WhenAll(leader, first).SoonAsync();
        Assert.Empty(request.Links);
    }

    [Fact]
    public void A_call_that_completes_at_once_allocates_no_more_when_its_wait_is_measured()
    {
        Fly();
        var unmeasured = Fly();
        var waits = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == Meters) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => waits += instrument.Name == "singleflight.caller.wait" ? 1 : 0);
        listener.Start();
        Fly();
        Assert.True(Fly() - unmeasured <= 8);
        Assert.Equal(2_000, waits);
    }

    // Bytes for each flight.
    private long Fly()
    {
        const int Flights = 1_000;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Flights; i++) Assert.True(Singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(1)).IsCompletedSuccessfully);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Flights;
    }

    // The bytes that the framework itself allocates for each span to ask the listener.
    private static long AskForSpans()
    {
        const int Spans = 1_000;
        Assert.Null(s_source.StartActivity("a"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Spans; i++) s_source.StartActivity("a");
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Spans;
    }

    private static ActivityListener Listen(ActivitySamplingResult sampled)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is SingleflightTelemetry.ActivitySourceName or nameof(UnsampledTests),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampled,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
