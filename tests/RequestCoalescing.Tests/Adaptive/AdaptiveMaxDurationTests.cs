using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Adaptive;

/// <summary>The maximum duration follows the recent flights, between its floor and its ceiling.</summary>
public sealed class AdaptiveMaxDurationTests : IAsyncDisposable
{
    private const double Factor = 3;
    private static readonly TimeSpan s_ceiling = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_floor = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);

    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder().AddInMemoryCollection().Build();
    private readonly FakeTimeProvider _clock = new();
    private Action _onConfigure = static () => { };
    private readonly Backend<int> _backend = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;

    public AdaptiveMaxDurationTests()
    {
        _provider = Build();
        _singleflight = _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    private TimeSpan MaxDuration => Instance.MaxDuration;

    private SingleflightInstance Instance => _provider.GetServices<SingleflightInstance>().Single();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task It_follows_a_distribution_that_shifts_up_and_down()
    {
        Assert.Equal(s_ceiling, MaxDuration);

        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(200));
        AssertNear(Factor * TimeSpan.FromMilliseconds(200));

        // The slow hundredth counts, and a half that is fast does not.
        for (var i = 0; i < 300; i++) await FlyAsync(TimeSpan.FromMilliseconds(i % 50 == 0 ? 500 : i % 2 == 0 ? 50 : 200));
        AssertNear(Factor * TimeSpan.FromMilliseconds(500));

        await FlyForAsync(2 * s_window, TimeSpan.FromMilliseconds(60));
        AssertNear(Factor * TimeSpan.FromMilliseconds(60));
    }

    [Fact]
    public async Task It_grows_again_when_the_backend_has_become_slower_than_the_maximum_duration()
    {
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(100));
        AssertNear(Factor * TimeSpan.FromMilliseconds(100));

        var timeouts = 0;
        for (var flown = TimeSpan.Zero; flown < 3 * s_window; flown += TimeSpan.FromMilliseconds(400))
        {
            if (!await FlyAsync(TimeSpan.FromMilliseconds(400))) timeouts++;
        }

        AssertNear(Factor * TimeSpan.FromMilliseconds(400));
        Assert.InRange(timeouts, 1, 100);
    }

    [Fact]
    public async Task It_stays_between_the_floor_and_the_ceiling()
    {
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(10));
        Assert.Equal(s_floor, MaxDuration);
        Assert.Equal(s_floor, Instance.GetSettings().MaxDuration);

        for (var i = 0; i < 150; i++) await FlyAsync(TimeSpan.FromMilliseconds(90));
        await FlyForAsync(30 * s_window, TimeSpan.FromSeconds(15));
        Assert.Equal(s_ceiling, MaxDuration);
    }

    [Fact]
    public async Task Few_flights_and_failures_leave_the_ceiling()
    {
        for (var i = 0; i < 98; i++) await FlyAsync(TimeSpan.FromMilliseconds(100));
        for (var i = 0; i < 300; i++) await FailAsync(TimeSpan.FromMilliseconds(10));
        await FlyAsync(s_window / 10);
        Assert.Equal(s_ceiling, MaxDuration);
        await FlyAsync(s_window / 10); // the hundredth; two of a hundred are slow
        AssertNear(Factor * (s_window / 10));
    }

    [Fact]
    public async Task An_idle_time_brings_the_ceiling_back()
    {
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(200));
        Assert.NotEqual(s_ceiling, MaxDuration);
        _clock.Advance(2 * s_window);
        Assert.True(await FlyAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal(s_ceiling, MaxDuration);
    }

    [Fact]
    public async Task A_flight_that_is_in_the_air_gets_the_new_maximum_duration()
    {
        var hung = _singleflight.ExecuteAsync("hung", static _ => new TaskCompletionSource<int>().Task).AsTask();
        await FlyForAsync(s_window / 4, TimeSpan.FromMilliseconds(100));
        AssertNear(Factor * TimeSpan.FromMilliseconds(100));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        var timeout = await hung.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(MaxDuration, timeout.MaxDuration);
    }

    [Fact]
    public async Task A_reload_changes_the_ceiling_the_floor_and_the_factor()
    {
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(200));
        Reload("MaxDuration", "00:00:00.3");
        Assert.Equal(TimeSpan.FromMilliseconds(300), MaxDuration);
        Reload("MaxDuration", "00:00:30");
        AssertNear(Factor * TimeSpan.FromMilliseconds(200));

        Reload("AdaptiveMaxDuration:Factor", "10");
        AssertNear(10 * TimeSpan.FromMilliseconds(200));
        Reload("AdaptiveMaxDuration:Floor", "00:00:05");
        Assert.Equal(TimeSpan.FromSeconds(5), MaxDuration);
    }

    [Fact]
    public async Task Flights_that_are_longer_than_the_histogram_get_the_ceiling()
    {
        Reload("MaxDuration", "06:00:00");
        Reload("AdaptiveMaxDuration:Window", "1.00:00:00");
        for (var i = 0; i < 110; i++) Assert.True(await FlyAsync(TimeSpan.FromMinutes(50)));
        Assert.Equal(TimeSpan.FromHours(6), MaxDuration);
    }

    [Fact]
    public async Task A_landing_does_not_wait_for_a_reload()
    {
        using var mayGo = new ManualResetEventSlim();
        var isReloading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(200));
        _onConfigure = () =>
        {
            isReloading.TrySetResult();
            mayGo.Wait(Patience.Limit);
        };
        var reload = Task.Run(_configuration.Reload);
        await isReloading.Task.SoonAsync();
        Assert.True(await FlyAsync(TimeSpan.FromMilliseconds(500)));
        mayGo.Set();
        await reload.SoonAsync();
    }

    [Fact]
    public async Task A_join_window_above_the_maximum_duration_ends_with_it()
    {
        Reload("JoinWindow", "00:00:20");
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(200));
        AssertNear(Factor * TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task The_metric_shows_it()
    {
        using var collector = new MetricCollector<double>(_provider.GetRequiredService<IMeterFactory>(), SingleflightTelemetry.MeterName, "singleflight.max_duration");
        await FlyForAsync(s_window, TimeSpan.FromMilliseconds(10));
        collector.RecordObservableInstruments();
        Assert.Equal(s_floor.TotalSeconds, collector.LastMeasurement!.Value);
    }

    [Fact]
    public async Task Flights_of_many_threads_are_all_counted()
    {
        const int Threads = 4, Rounds = 5_000;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(async () =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(1));
                await _singleflight.ExecuteAsync($"{thread}", static _ => Task.FromResult(1));
            }
        }))).SoonAsync();
        _clock.Advance(s_window / 10);
        await FlyAsync(TimeSpan.FromMilliseconds(1));
        Assert.Equal(s_floor, MaxDuration);
    }

    [Fact]
    public void An_option_out_of_its_range_is_refused_with_its_path()
    {
        _configuration["Singleflight:weather:AdaptiveMaxDuration:Factor"] = "1.9";
        using var provider = Build();
        var error = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredKeyedService<ISingleflight>("weather"));
        Assert.Contains("Singleflight:weather:AdaptiveMaxDuration:Factor", error.Message, StringComparison.Ordinal);
    }

    private ServiceProvider Build()
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddSingleton<IConfiguration>(_configuration);
        services.AddSingleflight("weather", options =>
            {
                (options.TimeProvider, options.MaxDuration) = (_clock, s_ceiling);
                _onConfigure();
            })
            .WithAdaptiveMaxDuration(adaptive => (adaptive.Factor, adaptive.Floor, adaptive.Window) = (Factor, s_floor, s_window))
            .WithAdaptiveMaxDuration(); // a second call adds nothing
        return services.BuildServiceProvider();
    }

    private async Task FlyForAsync(TimeSpan period, TimeSpan duration)
    {
        for (var flown = TimeSpan.Zero; flown <= period; flown += duration) await FlyAsync(duration);
    }

    private async Task<bool> FlyAsync(TimeSpan duration)
    {
        var call = _singleflight.ExecuteAsync("key", _backend.RunStubbornAsync).AsTask();
        var run = await _backend.NextRunAsync();
        _clock.Advance(duration);
        run.Succeed(1);
        await ((Task)call).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return call.IsCompletedSuccessfully;
    }

    private async Task FailAsync(TimeSpan duration)
    {
        var call = _singleflight.ExecuteAsync("key", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        _clock.Advance(duration);
        run.Fail(new InvalidOperationException());
        await call.ThrowsAsync<InvalidOperationException>();
    }

    // The histogram is exact to 6 %.
    private void AssertNear(TimeSpan expected) => Assert.InRange(MaxDuration / expected, 0.93, 1.07);

    private void Reload(string name, string value)
    {
        _configuration[$"Singleflight:weather:{name}"] = value;
        _configuration.Reload();
    }
}
