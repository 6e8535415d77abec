using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>What a flight allocates while somebody listens: no more than without, if nothing is sampled.</summary>
[Collection(nameof(UntracedTests))]
public sealed class UnsampledTests() : TelemetryFixture(debugs: false)
{
    private static readonly ActivitySource s_source = new(nameof(UnsampledTests));

    [Fact]
    public async Task Nothing_is_made_for_a_flight_that_is_not_sampled()
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
    public async Task Nor_for_those_who_follow_one()
    {
        using var listener = Listen(ActivitySamplingResult.None);
        using var request = new Activity("request").Start();
        var leader = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        var run = await Backend.NextRunAsync();
        var first = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask(); // they wait for one task from here on
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

    // Bytes a flight.
    private long Fly()
    {
        const int Flights = 1_000;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Flights; i++) Assert.True(Singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(1)).IsCompletedSuccessfully);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Flights;
    }

    // What the framework itself makes in order to ask the listener, in bytes a span.
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
