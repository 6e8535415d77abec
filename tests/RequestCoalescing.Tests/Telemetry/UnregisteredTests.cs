using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>An engine that is created by hand is measured and shown like one from a service provider.</summary>
/// <remarks>These tests run apart from others: another listener of the process's meter may be served figures of a moment ago.</remarks>
[Collection(nameof(UntracedTests))]
public sealed class UnregisteredTests : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Instrument, string? Name, double Value)> _measured = [];
    private readonly string _name = $"test-{Guid.NewGuid():N}";
    private readonly FakeTimeProvider _clock = new();

    public UnregisteredTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == SingleflightTelemetry.MeterName && instrument.IsObservable) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task An_engine_has_the_name_from_its_options_or_one_made_from_its_key_type()
    {
        await using var longs = new Singleflight<long>();
        await using var pairs = new Singleflight<(string, int)>();
        await using var named = new Singleflight(Named());
        Assert.Equal(("Singleflight<Int64>", "Singleflight<(String, Int32)>", _name), (longs.Name, pairs.Name, named.Name));
        Assert.Superset(new HashSet<string> { longs.Name, pairs.Name, named.Name }, SingleflightInstance.GetUnregistered().Select(instance => instance.Name).ToHashSet());
        Assert.Throws<ArgumentException>("Name", () => new Singleflight(new SingleflightOptions { Name = " " }));
    }

    [Fact]
    public async Task An_engine_is_in_the_meter_until_it_is_disposed()
    {
        var backend = new Backend<int>();
        var engine = new Singleflight<long>(Named());
        var calls = new[] { engine.ExecuteAsync(1, backend.RunAsync).AsTask(), engine.ExecuteAsync(1, backend.RunAsync).AsTask() };
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((2, 1, 5, 30), (Measure("singleflight.calls"), Measure("singleflight.in_flight"), Measure("singleflight.oldest_flight.age"), Measure("singleflight.max_duration")));
        (await backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal((0, 1), (Measure("singleflight.in_flight"), Measure("singleflight.flights")));

        await engine.DisposeAsync();
        Assert.Null(Measure("singleflight.calls"));
        Assert.Null(Find());
    }

    [Fact]
    public async Task An_engine_is_listed_with_its_running_flights()
    {
        var backend = new Backend<int>();
        await using var engine = new Singleflight<long>(Named());
        var call = engine.ExecuteAsync(4711, backend.RunAsync).AsTask();
        var seen = Find()!;
        Assert.Equal((typeof(long), TimeSpan.FromSeconds(30), 1L), (seen.KeyType, seen.MaxDuration, seen.GetStats().Calls));
        Assert.Matches("^#[0-9a-f]{16}$", Assert.Single(seen.GetFlights()).Key);
        Assert.Empty(seen.GetFlights(0));
        Assert.Throws<ArgumentOutOfRangeException>("max", () => seen.GetFlights(-1));
        Assert.Empty(seen.GetRecentFailures());
        (await backend.NextRunAsync()).Succeed(1);
        await call.SoonAsync();
    }

    [Fact]
    public async Task Engines_with_the_same_name_are_counted_together()
    {
        await using var first = new Singleflight<long>(Named());
        await using var second = new Singleflight<long>(Named());
        await first.ExecuteAsync(1, static _ => ValueTask.FromResult(1));
        await second.ExecuteAsync(1, static _ => ValueTask.FromResult(1));
        Assert.Equal(2, Measure("singleflight.calls"));
        Assert.Equal(4, _measured.Count(measured => measured.Instrument == "singleflight.calls" && measured.Name == _name)); // one for each role
        Assert.Equal(2, Find()!.GetStats().Calls);
    }

    [Fact]
    public async Task An_engine_with_IsReported_false_is_not_in_the_meter()
    {
        var options = Named();
        options.IsReported = false;
        await using var engine = new Singleflight<long>(options);
        Assert.Null(Measure("singleflight.calls"));
        Assert.Null(Find());
    }

    [Fact]
    public async Task A_registered_engine_is_reported_once()
    {
        var services = new ServiceCollection();
        services.AddSingleflight<Own>(_name, options => options.Name = "another").WithRollout(rollout => rollout.Mode = RolloutMode.Observe);
        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredKeyedService<ISingleflight<Own>>(_name).ExecuteAsync(new Own(1), static _ => ValueTask.FromResult(1));
        Assert.Equal(1, Measure("singleflight.calls"));
        Assert.Equal(4, _measured.Count(measured => measured.Instrument == "singleflight.calls" && measured.Name == _name));
        Assert.Null(Find());
        Assert.DoesNotContain(SingleflightInstance.GetUnregistered(), instance => instance.Name == "another" || instance.KeyType == typeof(Own));
    }

    [Fact]
    public async Task An_engine_that_is_never_disposed_leaves_the_meter_when_it_is_collected()
    {
        await UseAsync();
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return Find() is null;
            },
            "the engine is collected");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task UseAsync()
    {
        var engine = new Singleflight<long>(Named());
        await engine.ExecuteAsync(1, static _ => ValueTask.FromResult(1));
        Assert.NotNull(Find());
    }

    private SingleflightOptions Named() => new() { Name = _name, TimeProvider = _clock };

    private SingleflightInstance? Find() => SingleflightInstance.GetUnregistered().SingleOrDefault(instance => instance.Name == _name);

    // The sum over roles and outcomes. Null if there are none of that name.
    private double? Measure(string instrument)
    {
        _measured.Clear();
        _listener.RecordObservableInstruments();
        var found = _measured.Where(measured => measured.Instrument == instrument && measured.Name == _name).ToList();
        return found.Count == 0 ? null : found.Sum(measured => measured.Value);
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == "singleflight.name") _measured.Add((instrument.Name, (string?)tag.Value, value));
        }
    }

    private sealed record Own(int Id);
}
