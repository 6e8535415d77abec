using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>Reading the statistics walks over all running flights. A scrape reads them once, however many instruments there are.</summary>
public sealed class ScrapeTests : IAsyncDisposable
{
    private readonly ServiceProvider _provider;
    private readonly List<(string Instrument, double Value)> _measured = [];
    private readonly MeterListener _listener = new();
    private int _looks;

    public ScrapeTests()
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddSingleflight("weather").Decorate<string>((_, inner) => new Counted(inner, () => Interlocked.Increment(ref _looks)));
        _provider = services.BuildServiceProvider();
        var factory = _provider.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == factory && instrument.IsObservable) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => _measured.Add((instrument.Name, value)));
        _listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => _measured.Add((instrument.Name, value)));
        _listener.Start();
    }

    [Fact]
    public async Task Each_scrape_reads_the_statistics_once()
    {
        var weather = _provider.GetRequiredKeyedService<ISingleflight>("weather");
        for (var scrape = 1; scrape <= 3; scrape++)
        {
            _measured.Clear();
            await weather.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
            _listener.RecordObservableInstruments();
            Assert.True(_measured.Select(measured => measured.Instrument).Distinct().Count() > 10);
            Assert.Equal(scrape, _measured.Where(measured => measured.Instrument == "singleflight.calls").Sum(measured => measured.Value));
            Assert.Equal(scrape, _measured.Where(measured => measured.Instrument == "singleflight.flights").Sum(measured => measured.Value));
            Assert.Equal(scrape, _looks);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _provider.DisposeAsync();
    }

    private sealed class Counted(ISingleflight<string> inner, Action looked) : SingleflightBase<string>
    {
        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats()
        {
            looked();
            return inner.GetStats();
        }

        protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
            inner.ExecuteAsync(key, state, work, cancellationToken);

        protected override bool ForgetCore(string key) => inner.Forget(key);
    }
}
