using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Hosting;

namespace RequestCoalescing.Tests.Health;

public sealed class HealthCheckTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Backend<int> _backend = new();
    private ServiceProvider? _provider;

    public async ValueTask DisposeAsync()
    {
        if (_provider is not null) await _provider.DisposeAsync(_clock);
    }

    [Fact]
    public async Task An_idle_instance_is_healthy()
    {
        Create();
        var entry = await CheckAsync();
        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal(0, entry.Data["weather.in_flight_count"]);
    }

    [Fact]
    public async Task The_default_thresholds_are_those_of_the_checklist()
    {
        var options = new SingleflightHealthCheckOptions();
        Assert.Equal((10_000, null, 0.8, 10_000, 0),
            (options.Degraded.InFlight, options.Degraded.OldestAge, options.Degraded.OldestAgeShare, options.Degraded.Subscribers, options.Degraded.Abandoned));
        Assert.Equal((null, null, null, null, null),
            (options.Unhealthy.InFlight, options.Unhealthy.OldestAge, options.Unhealthy.OldestAgeShare, options.Unhealthy.Subscribers, options.Unhealthy.Abandoned));
        Assert.Throws<ArgumentOutOfRangeException>("OldestAgeShare", () => new ServiceCollection().AddHealthChecks().AddSingleflight(own => own.Degraded.OldestAgeShare = 80));
    }

    [Theory]
    [InlineData(10, 8)]
    [InlineData(30, 24)]
    [InlineData(300, 240)]
    public async Task A_flight_is_too_old_relative_to_the_MaxDuration_of_its_own_instance(int maxDuration, int threshold)
    {
        var singleflight = Create(duration: TimeSpan.FromSeconds(maxDuration));
        _ = singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(threshold));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var entry = await CheckAsync();
        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Contains($"weather: the oldest flight is {TimeSpan.FromSeconds(threshold + 1)} old (over 80% of MaxDuration, which is {TimeSpan.FromSeconds(maxDuration)})", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_custom_age_threshold_applies_too()
    {
        var singleflight = Create(options => options.Degraded.OldestAge = TimeSpan.FromSeconds(2));
        _ = singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(HealthStatus.Degraded, (await CheckAsync()).Status);
    }

    [Fact]
    public async Task Abandoned_work_degrades_the_health_until_it_ends()
    {
        var singleflight = Create();
        var hung = singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        var entry = await CheckAsync();
        Assert.Equal((HealthStatus.Degraded, "weather: 1 abandoned runs (over 0)"), (entry.Status, entry.Description));

        (await _backend.NextRunAsync()).Succeed(1);
        await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the abandoned work has ended");
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);
    }

    [Fact]
    public async Task The_worst_exceeded_threshold_decides()
    {
        var singleflight = Create(options =>
        {
            options.Degraded.InFlight = 1;
            options.Unhealthy.InFlight = 2;
            options.Degraded.Subscribers = 2;
        });
        foreach (var key in new[] { "a", "b" }) _ = singleflight.ExecuteAsync(key, _backend.RunStubbornAsync).AsTask();
        Assert.Equal(HealthStatus.Degraded, (await CheckAsync()).Status);
        _ = singleflight.ExecuteAsync("c", _backend.RunStubbornAsync).AsTask();
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync()).Status);
        _ = singleflight.ExecuteAsync("c", _backend.RunStubbornAsync).AsTask();
        _ = singleflight.ExecuteAsync("c", _backend.RunStubbornAsync).AsTask();
        var entry = await CheckAsync();
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Contains("one flight has 3 subscribers", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void A_negative_threshold_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>("Abandoned", () => new ServiceCollection().AddHealthChecks().AddSingleflight(options => options.Degraded.Abandoned = -1));

    private ISingleflight Create(Action<SingleflightHealthCheckOptions>? configure = null, TimeSpan? duration = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleflight("weather", options => (options.TimeProvider, options.MaxDuration) = (_clock, duration ?? options.MaxDuration));
        services.AddHealthChecks().AddSingleflight(configure);
        _provider = services.BuildServiceProvider();
        return _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    private async Task<HealthReportEntry> CheckAsync() =>
        (await _provider!.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["singleflight"];
}
