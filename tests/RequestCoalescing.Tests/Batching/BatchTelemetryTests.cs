using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Hosting;

namespace RequestCoalescing.Tests.Batching;

/// <summary>What is measured and traced of batches.</summary>
public sealed class BatchTelemetryTests : IAsyncDisposable
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    private readonly string _name = $"test-{Guid.NewGuid():N}";
    private readonly FakeTimeProvider _clock = new();
    private readonly BatchBackend _backend = new();
    private readonly ServiceProvider _provider;
    private readonly BatchLoader<int, string> _loader;

    public BatchTelemetryTests()
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddBatchLoader<int, string>(
            _name,
            (_, keys, answer, token) => _backend.LoadAsync(keys, answer, token),
            options => (options.Window, options.TimeProvider) = (s_window, _clock)).Services.Configure<SingleflightOptions>(_name, options => options.TimeProvider = _clock);
        _provider = services.BuildServiceProvider();
        _loader = _provider.GetRequiredKeyedService<BatchLoader<int, string>>(_name);
    }

    public async ValueTask DisposeAsync() => await _provider.DisposeAsync(_clock);

    [Fact]
    public async Task A_call_is_measured_with_its_size_its_outcome_the_waits_of_its_keys_and_what_was_odd_about_its_answer()
    {
        using var sizes = Collect<int>("singleflight.batch.size");
        using var waits = Collect<double>("singleflight.batch.wait");
        using var calls = Collect<long>("singleflight.batch.calls");
        using var missing = Collect<long>("singleflight.batch.missing");
        using var duplicates = Collect<long>("singleflight.batch.duplicates");
        using var unasked = Collect<long>("singleflight.batch.unasked");

        var first = _loader.LoadAsync(1);
        _clock.Advance(s_window / 4);
        var second = _loader.LoadAsync(2);
        _clock.Advance(s_window * 3 / 4);
        var call = await _backend.NextAsync(1, 2);
        call.Answer.Set(1, "one");
        call.Answer.Set(1, "one");
        call.Answer.Set(3, "three");
        call.End();
        await Task.WhenAll(first, second).SoonAsync();
        await EndAsync(3, call => call.Fail(new InvalidDataException()));

        Assert.Equal([2, 1], sizes.GetMeasurementSnapshot().Select(size => size.Value));
        Assert.Equal([1, 0.75, 1], waits.GetMeasurementSnapshot().Select(wait => wait.Value));
        Assert.Equal(["success", "failure"], calls.GetMeasurementSnapshot().Select(count => count.Tags["singleflight.outcome"]));
        Assert.Equal((1, 1, 1), (Sum(missing), Sum(duplicates), Sum(unasked)));
        Assert.All(waits.GetMeasurementSnapshot(), wait => Assert.Equal(_name, wait.Tags["singleflight.name"]));
    }

    [Fact]
    public async Task A_cancelled_call_has_an_outcome_of_its_own()
    {
        using var calls = Collect<long>("singleflight.batch.calls");
        using var leaves = new CancellationTokenSource();
        var load = _loader.LoadAsync(1, leaves.Token);
        _clock.Advance(s_window);
        var call = await _backend.NextAsync(1);
        await leaves.CancelAsync();
        await call.CancelledAsync();
        call.Fail(new OperationCanceledException(call.Token));
        await load.LeavesWithAsync(leaves.Token);
        await Patience.UntilAsync(() => _loader.GetStats().Running == 0, "no batch runs");
        Assert.Equal("cancelled", calls.GetMeasurementSnapshot().Single().Tags["singleflight.outcome"]);
    }

    [Fact]
    public async Task A_call_is_a_span_that_is_linked_with_those_of_its_flights()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == SingleflightTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var caller = new Activity("a caller").Start();
        var load = _loader.LoadAsync(2);
        await EndAsync(1, call => call.Fail(new InvalidDataException()));
        await load.ThrowsAsync<InvalidDataException>();

        var ours = spans.Where(span => _name.Equals(span.GetTagItem("singleflight.name"))).ToList();
        var batch = Assert.Single(ours, span => span.OperationName == "singleflight.batch");
        var flights = ours.Where(span => span.OperationName == "singleflight.flight").ToList();
        Assert.Equal(2, flights.Count);
        Assert.Equal((2, "failure", typeof(InvalidDataException).FullName), (batch.GetTagItem("singleflight.batch.size"), batch.GetTagItem("singleflight.outcome"), batch.GetTagItem("error.type")));
        Assert.Equal(ActivityStatusCode.Error, batch.Status);
        Assert.Null(batch.Parent);
        Assert.Equal(flights.Select(flight => flight.SpanId.ToString()).Order(), batch.Links.Select(link => link.Context.SpanId.ToString()).Order());
        Assert.Same(caller, Activity.Current);
    }

    [Fact]
    public async Task A_listener_that_throws_harms_no_caller()
    {
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name.StartsWith("singleflight.batch", StringComparison.Ordinal) && instrument.Meter.Scope == _provider.GetRequiredService<IMeterFactory>()) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((_, _, _, _) => throw new InvalidDataException());
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => throw new InvalidDataException());
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidDataException());
        listener.Start();
        await EndAsync(1, call =>
        {
            call.Answer.Set(1, "again");
            call.Answer.Set(7, "unasked");
            call.Succeed();
        });
        Assert.Equal((1L, 1L), (_loader.GetStats().Duplicates, _loader.GetStats().Unasked));
    }

    // Loads a key, and ends the call that asks for it.
    private async Task EndAsync(int key, Action<BatchCall> end)
    {
        var load = _loader.LoadAsync(key);
        _clock.Advance(s_window);
        end(await _backend.NextAsync());
        await load.ContinueWith(static _ => { }, TaskScheduler.Default).SoonAsync();
        await Patience.UntilAsync(() => _loader.GetStats().Running == 0, "no batch runs");
    }

    private MetricCollector<T> Collect<T>(string instrument)
        where T : struct =>
        new(_provider.GetRequiredService<IMeterFactory>(), SingleflightTelemetry.MeterName, instrument);

    private static long Sum(MetricCollector<long> collected) => collected.GetMeasurementSnapshot().Sum(measurement => measurement.Value);
}
