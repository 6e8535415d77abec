using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class MetricTests() : TelemetryFixture(options: options => (options.MaxSubscribers, options.Overflow) = (3, OverflowBehavior.Reject))
{
    [Fact]
    public async Task Calls_are_counted_by_role_and_flights_by_outcome()
    {
        using var calls = Collect<long>("singleflight.calls");
        using var flights = Collect<long>("singleflight.flights");
        var callers = Enumerable.Range(0, 3).Select(_ => Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask()).ToArray();
        var run = await Backend.NextRunAsync();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await Singleflight.ExecuteAsync("a", Backend.RunAsync));
        run.Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw new InvalidTimeZoneException()));
        var hung = Singleflight.ExecuteAsync("a", Backend.RunStubbornAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        using var aborted = new CancellationTokenSource();
        var left = Singleflight.ExecuteAsync("b", Backend.RunStubbornAsync, aborted.Token).AsTask();
        await aborted.CancelAsync();
        await left.LeavesWithAsync(aborted.Token);

        calls.RecordObservableInstruments();
        flights.RecordObservableInstruments();
        Assert.Equal("alone 0, follower 2, leader 4, rejected 1", Describe(calls, "singleflight.role"));
        Assert.Equal("cancelled 1, failure 1, reelected 0, success 1, timeout 1", Describe(flights, "singleflight.outcome"));
    }

    [Fact]
    public async Task Running_flights_are_gauged()
    {
        using var inFlight = Collect<double>("singleflight.in_flight");
        using var subscribers = Collect<double>("singleflight.subscribers");
        using var most = Collect<double>("singleflight.subscribers.max");
        using var age = Collect<double>("singleflight.oldest_flight.age");
        using var abandoned = Collect<double>("singleflight.abandoned");
        using var maxDuration = Collect<double>("singleflight.max_duration");
        var hung = Singleflight.ExecuteAsync("hung", Backend.RunStubbornAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        for (var i = 0; i < 3; i++) _ = Singleflight.ExecuteAsync(i == 0 ? "a" : "b", Backend.RunStubbornAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(7));

        Assert.Equal([2, 3, 2, 7, 1, 30], new[] { inFlight, subscribers, most, age, abandoned, maxDuration }.Select(gauge =>
        {
            gauge.RecordObservableInstruments();
            var measured = gauge.LastMeasurement!;
            Assert.Equal(Name, measured.Tags["singleflight.name"]);
            return measured.Value;
        }));
    }

    [Fact]
    public async Task The_time_in_which_a_caller_reads_a_stream_is_no_wait()
    {
        using var durations = Collect<double>("singleflight.flight.duration");
        using var waits = Collect<double>("singleflight.caller.wait");

        Assert.Equal([1, 2], await Singleflight.ExecuteStreamAsync("a", static _ => new[] { 1, 2 }.ToAsyncEnumerable()).ToListAsync());

        Assert.Empty(waits.GetMeasurementSnapshot());
        Assert.Single(durations.GetMeasurementSnapshot());
    }

    [Fact]
    public async Task Durations_numbers_of_subscribers_and_waits_are_recorded()
    {
        using var durations = Collect<double>("singleflight.flight.duration");
        using var sizes = Collect<int>("singleflight.flight.subscribers");
        using var waits = Collect<double>("singleflight.caller.wait");
        var leader = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        var run = await Backend.NextRunAsync();
        Clock.Advance(TimeSpan.FromSeconds(2));
        var follower = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(1));
        run.Succeed(1);
        await Task.WhenAll(leader, follower).SoonAsync();

        var duration = Assert.Single(durations.GetMeasurementSnapshot());
        Assert.Equal((3.0, "success", Name), (duration.Value, duration.Tags["singleflight.outcome"], duration.Tags["singleflight.name"]));
        Assert.Equal(2, Assert.Single(sizes.GetMeasurementSnapshot()).Value);
        Assert.Equal([1.0, 3.0], waits.GetMeasurementSnapshot().Select(wait => wait.Value).Order());
    }

    [Fact]
    public void No_instrument_has_a_key_as_a_tag()
    {
        var seen = new List<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == SingleflightTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => Note(tags));
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => Note(tags));
        listener.SetMeasurementEventCallback<int>((_, _, tags, _) => Note(tags));
        listener.Start();
        _ = Singleflight.ExecuteAsync("the-key", static _ => ValueTask.FromResult(1));
        listener.RecordObservableInstruments();
        listener.Dispose();
        string[] all;
        lock (seen) all = [.. seen]; // the listener sees the instruments of concurrent tests too
        Assert.Contains($"singleflight.name={Name}", all);
        Assert.DoesNotContain(all, tag => tag.Contains("the-key", StringComparison.Ordinal));
        Assert.All(all, tag => Assert.Matches("^singleflight\\.(name|role|outcome)=", tag));

        void Note(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (seen)
            {
                foreach (var tag in tags) seen.Add($"{tag.Key}={tag.Value}");
            }
        }
    }

    private static string Describe(MetricCollector<long> collector, string tag) =>
        string.Join(", ", collector.GetMeasurementSnapshot().Select(measured => $"{measured.Tags[tag]} {measured.Value}").Order(StringComparer.Ordinal));
}
