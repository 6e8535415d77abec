using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>Settings follow their configuration while flights are running.</summary>
public sealed class ReloadTests : IAsyncDisposable
{
    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder().AddInMemoryCollection().Build();
    private readonly FakeTimeProvider _clock = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;
    private readonly Backend<int> _backend = new();

    public ReloadTests()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(_configuration);
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleflight("weather", options => options.TimeProvider = _clock);
        _provider = services.BuildServiceProvider();
        _singleflight = _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync(_clock);
    }

    [Fact]
    public async Task A_reload_changes_the_limit_of_subscribers()
    {
        var first = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        await _backend.NextRunAsync();
        Reload(("MaxSubscribers", "1"));
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("a", _backend.RunAsync));
        Reload(("MaxSubscribers", "2"));
        var second = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        Assert.False(first.IsCompleted || second.IsCompleted);
    }

    [Fact]
    public async Task A_reloaded_limit_of_flights_counts_earlier_flights()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        Reload(("MaxInFlight", "2"));
        var second = _singleflight.ExecuteAsync("b", _backend.RunAsync).AsTask();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("c", _backend.RunAsync));

        run.Succeed(1);
        await flying.SoonAsync();
        var third = _singleflight.ExecuteAsync("c", _backend.RunAsync).AsTask();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("d", _backend.RunAsync));
        Reload(("MaxInFlight", "1"));
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("d", _backend.RunAsync));
        Assert.False(second.IsCompleted || third.IsCompleted);
    }

    [Fact]
    public async Task A_reloaded_limit_of_flights_counts_streams_that_flow()
    {
        var source = new StreamBackend<int>();
        await using var reader = new StreamCaller<int>(_singleflight.ExecuteStreamAsync("a", source.Run));
        var item = reader.NextAsync();
        var run = await source.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);

        Reload(("MaxInFlight", "1"));

        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("b", _backend.RunAsync));
        run.End();
        Assert.Empty(await reader.RestAsync());
        var second = _singleflight.ExecuteAsync("b", _backend.RunAsync).AsTask();
        Assert.False(second.IsCompleted);
    }

    [Fact]
    public async Task A_reloaded_limit_of_flights_counts_abandoned_runs_but_not_lone_runs()
    {
        var hung = _singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        Reload(("Rollout:Enabled", "false"));
        var alone = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        Reload(("MaxInFlight", "1"), ("Rollout:Enabled", "true"));
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("b", _backend.RunAsync));

        (await _backend.NextRunAsync()).Succeed(1);
        await Patience.UntilAsync(() => _singleflight.GetStats().AbandonedCount == 0, "the hung run has ended");
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await alone.SoonAsync());
        var next = _singleflight.ExecuteAsync("b", _backend.RunAsync).AsTask();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("c", _backend.RunAsync));
        (await _backend.NextRunAsync()).Succeed(3);
        Assert.Equal(3, await next.SoonAsync());
    }

    [Fact]
    public async Task A_change_during_the_creation_of_an_instance_applies()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection().Build();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleflight().WithTelemetry(_ =>
        {
            if (configuration["Singleflight:MaxSubscribers"] is not null) return;
            configuration["Singleflight:MaxSubscribers"] = "1";
            configuration.Reload();
        });
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var flying = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await singleflight.ExecuteAsync("a", _backend.RunAsync));
        (await _backend.NextRunAsync()).Succeed(1);
        await flying.SoonAsync();
    }

    [Fact]
    public async Task A_shorter_MaxDuration_applies_to_running_flights()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(10));
        Reload(("MaxDuration", "00:00:12"));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(flying.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var exception = await flying.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(TimeSpan.FromSeconds(12), exception.MaxDuration);
    }

    [Fact]
    public async Task A_MaxDuration_that_is_already_exceeded_ends_running_flights_at_once()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(10));
        Reload(("MaxDuration", "00:00:05"));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        await flying.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task A_longer_MaxDuration_applies_to_running_flights()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        Reload(("MaxDuration", "00:01:00"));
        _clock.Advance(TimeSpan.FromSeconds(59));
        Assert.False(flying.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await flying.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task The_kill_switch_acts_at_once_and_running_flights_land()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var follower = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var shared = await _backend.NextRunAsync();
        Reload(("Rollout:Enabled", "false"));
        var alone = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await alone.SoonAsync());

        shared.Succeed(1);
        Assert.Equal(new[] { 1, 1 }, await Task.WhenAll(flying, follower).SoonAsync());
        Reload(("Rollout:Enabled", "true"));
        var again = new[] { _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask(), _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask() };
        (await _backend.NextRunAsync()).Succeed(3);
        Assert.Equal(new[] { 3, 3 }, await Task.WhenAll(again).SoonAsync());
        var stats = _singleflight.GetStats();
        Assert.Equal((5, 3, 2, 1), (stats.Calls, stats.Flights, stats.Coalesced, stats.Alone));
    }

    [Fact]
    public async Task An_invalid_reload_is_logged_and_changes_nothing()
    {
        var flying = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        Reload(("MaxSubscribers", "2"));
        Reload(("MaxSubscribers", "-3"));
        Reload(("MaxSubscribers", "many"));

        var follower = _singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        await Assert.ThrowsAsync<FlightRejectedException>(async () => await _singleflight.ExecuteAsync("a", _backend.RunAsync));
        run.Succeed(1);
        Assert.Equal(new[] { 1, 1 }, await Task.WhenAll(flying, follower).SoonAsync());
        var logged = _provider.GetFakeLogCollector().GetSnapshot().Where(entry => entry.Id.Id == 9).ToList();
        Assert.Equal(2, logged.Count);
        Assert.All(logged, entry => Assert.Equal(LogLevel.Error, entry.Level));
        Assert.All(logged, entry => Assert.Contains("Singleflight:weather:MaxSubscribers", entry.Message, StringComparison.Ordinal));
    }

    private void Reload(params (string Setting, string Value)[] settings)
    {
        foreach (var (setting, value) in settings) _configuration[$"Singleflight:weather:{setting}"] = value;
        _configuration.Reload();
    }
}
