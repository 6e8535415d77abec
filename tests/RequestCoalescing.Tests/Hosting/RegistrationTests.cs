using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Tests.Hosting;

public sealed class RegistrationTests
{
    [Fact]
    public async Task An_instance_needs_no_other_services()
    {
        var services = new ServiceCollection();
        services.AddSingleflight();
        using var provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });

        var singleflight = provider.GetRequiredService<ISingleflight>();
        Assert.Equal(1, await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(1)));
        Assert.Same(singleflight, provider.GetRequiredService<ISingleflight<string>>());
    }

    [Fact]
    public async Task Each_instance_has_its_own_options_name_and_statistics()
    {
        var services = new ServiceCollection();
        services.AddSingleflight(options => options.MaxSubscribers = 1);
        Assert.Equal("weather", services.AddSingleflight("weather", options => options.MaxSubscribers = 2).Name);
        services.AddSingleflight<long>();
        services.AddSingleflight<(string Post, int Limit)>("comments");
        await using var provider = services.BuildServiceProvider();

        var weather = provider.GetRequiredKeyedService<ISingleflight>("weather");
        Assert.Same(weather, provider.GetRequiredKeyedService<ISingleflight<string>>("weather"));
        Assert.NotSame(weather, provider.GetRequiredService<ISingleflight>());
        await weather.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        await provider.GetRequiredService<ISingleflight<long>>().ExecuteAsync(1, static _ => ValueTask.FromResult(1));

        Assert.Equal(
            [("comments", typeof((string, int)), 0L), ("default", typeof(string), 0L), ("Int64", typeof(long), 1L), ("weather", typeof(string), 1L)],
            provider.GetServices<SingleflightInstance>().Select(one => (one.Name, one.KeyType, one.GetStats().Calls)).OrderBy(one => one.Name, StringComparer.OrdinalIgnoreCase));
        Assert.NotNull(provider.GetKeyedService<ISingleflight<(string, int)>>("comments"));
        Assert.Null(provider.GetService<ISingleflight<(string, int)>>());
    }

    [Fact]
    public async Task An_instance_is_injected_by_its_key()
    {
        var services = new ServiceCollection();
        services.AddSingleflight("weather");
        services.AddSingleton<Weather>();
        await using var provider = services.BuildServiceProvider();
        Assert.Same(provider.GetRequiredKeyedService<ISingleflight>("weather"), provider.GetRequiredService<Weather>().Singleflight);
    }

    [Fact]
    public async Task A_second_registration_of_a_name_adds_to_the_first()
    {
        var services = new ServiceCollection();
        services.AddSingleflight("weather", options => options.MaxSubscribers = 7);
        services.AddSingleflight("weather", options => options.MaxInFlight = 8);
        await using var provider = services.BuildServiceProvider();
        Assert.Single(provider.GetServices<SingleflightInstance>());
        var options = provider.GetRequiredService<IOptionsMonitor<SingleflightOptions>>().Get("weather");
        Assert.Equal((7, 8), (options.MaxSubscribers, options.MaxInFlight));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a:b")]
    [InlineData("default")]
    [InlineData("rollout")]
    [InlineData("Telemetry")]
    public void A_reserved_name_is_refused(string name) =>
        Assert.Throws<ArgumentException>(nameof(name), () => new ServiceCollection().AddSingleflight(name));

    [Fact]
    public void A_name_has_one_key_type()
    {
        var services = new ServiceCollection();
        services.AddSingleflight("weather");
        Assert.Contains("System.String", Assert.Throws<ArgumentException>("name", () => services.AddSingleflight<int>("weather")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("name", () => services.AddSingleflight("Weather")); // the names of settings ignore case
    }

    [Fact]
    public void An_instance_cannot_be_registered_by_name_and_by_type()
    {
        var services = new ServiceCollection();
        services.AddSingleflight<long>();
        Assert.Throws<ArgumentException>("name", () => services.AddSingleflight<long>("Int64"));
    }

    [Fact]
    public void Options_for_one_key_type_are_refused_for_another()
    {
        var builder = new ServiceCollection().AddSingleflight<int>("weather");
        Assert.Throws<ArgumentException>("builder", () => builder.WithKeyText<string>(key => key));
        Assert.Throws<ArgumentException>("builder", () => builder.Decorate<string>((_, inner) => inner));
    }

    [Fact]
    public async Task Settings_bind_from_the_configuration_and_override_code()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Singleflight:MaxSubscribers"] = "5",
            ["Singleflight:weather:MaxDuration"] = "00:00:05",
            ["Singleflight:weather:JoinWindow"] = "00:00:01",
            ["Singleflight:weather:Overflow"] = "RunAlone",
            ["Singleflight:weather:Rollout:Fraction"] = "0.25",
            ["Singleflight:weather:Rollout:Mode"] = "Observe",
            ["Singleflight:weather:Verification:Fraction"] = "0.5",
            ["Singleflight:weather:Telemetry:KeyRedaction"] = "Plain",
        }).Build());
        services.AddSingleflight(options => options.MaxSubscribers = 1);
        services.AddSingleflight("weather", options => options.MaxInFlight = 3).WithRollout(rollout => rollout.Fraction = 1);
        await using var provider = services.BuildServiceProvider();

        Assert.Equal(5, provider.GetRequiredService<IOptions<SingleflightOptions>>().Value.MaxSubscribers);
        var weather = provider.GetRequiredService<IOptionsMonitor<SingleflightOptions>>().Get("weather");
        Assert.Equal((int.MaxValue, 3, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1), OverflowBehavior.RunAlone),
            (weather.MaxSubscribers, weather.MaxInFlight, weather.MaxDuration, weather.JoinWindow, weather.Overflow));
        var rollout = provider.GetRequiredService<IOptionsMonitor<RolloutOptions>>().Get("weather");
        Assert.Equal((0.25, RolloutMode.Observe), (rollout.Fraction, rollout.Mode));
        Assert.Equal(0.5, provider.GetRequiredService<IOptionsMonitor<VerificationOptions>>().Get("weather").Fraction);
        Assert.Equal(KeyRedaction.Plain, provider.GetRequiredService<IOptionsMonitor<TelemetryOptions>>().Get("weather").KeyRedaction);
    }

    [Theory]
    [InlineData("Singleflight:MaxSubscribers", "0")]
    [InlineData("Singleflight:MaxDuration", "00:00:00")]
    [InlineData("Singleflight:weather:JoinWindow", "1.00:00:00")]
    [InlineData("Singleflight:weather:Rollout:Fraction", "1.5")]
    [InlineData("Singleflight:weather:Rollout:Fraction", "NaN")]
    [InlineData("Singleflight:weather:Rollout:Mode", "7")]
    [InlineData("Singleflight:weather:Verification:Fraction", "-1")]
    [InlineData("Singleflight:weather:Verification:OnMismatch", "9")]
    [InlineData("Singleflight:weather:Telemetry:SubscriberWarningThreshold", "0")]
    [InlineData("Singleflight:weather:Telemetry:MaxSpanLinks", "-1")]
    [InlineData("Singleflight:weather:Telemetry:KeyRedaction", "4")]
    [InlineData("Singleflight:weather:Telemetry:KeyRedactionSecret", "")]
    public async Task An_invalid_setting_fails_the_start_with_its_name(string setting, string value)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new(setting, value)]);
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflight("weather").WithVerification(0);
        using var host = builder.Build();
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(setting, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_setting_that_is_not_a_number_fails_the_start_with_its_name()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new("Singleflight:MaxInFlight", "many")]);
        builder.Services.AddSingleflight();
        using var host = builder.Build();
        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
        Assert.Contains("Singleflight:MaxInFlight", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_settings_in_force_are_logged_at_the_start_without_secrets()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
        [
            new("Singleflight:weather:MaxInFlight", "500"), new("Singleflight:weather:Rollout:Fraction", "0.25"), new("Singleflight:weather:Telemetry:KeyRedactionSecret", "hush"),
        ]);
        builder.Services.AddLogging(logging => logging.AddFakeLogging());
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflight("weather", options => options.MaxDuration = TimeSpan.FromSeconds(5));
        using var host = builder.Build();
        await host.StartAsync();
        var logged = host.Services.GetFakeLogCollector().GetSnapshot().Where(entry => entry.Id.Id == 13).ToList();
        Assert.Equal(["default", "weather"], logged.Select(entry => entry.GetStructuredStateValue("Instance")));
        Assert.All(logged, entry => Assert.Equal(LogLevel.Information, entry.Level));
        var settings = logged[1].GetStructuredStateValue("Settings")!.Split(", ");
        Assert.Equal(
            [
                "MaxSubscribers=no limit", "MaxInFlight=500", "MaxDuration=00:00:05", "JoinWindow=no limit", "Overflow=Reject", "ContextFlow=Leader", "StartOnThreadPool=False", "DetectDeadlocks=True",
                "Telemetry:SubscriberWarningThreshold=1000", "Telemetry:KeyRedaction=Hash", "Telemetry:KeyRedactionSecret=(set)", "Telemetry:MaxSpanLinks=128",
                "Rollout:Enabled=True", "Rollout:Mode=Coalesce", "Rollout:Fraction=0.25", "Verification:Fraction=0", "Verification:OnMismatch=UseShared",
            ],
            settings);
        Assert.Contains("KeyRedactionSecret=none", logged[0].Message, StringComparison.Ordinal);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_disposed_provider_cancels_flights_and_refuses_calls()
    {
        var services = new ServiceCollection();
        services.AddSingleflight();
        var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var backend = new Backend<int>();
        var flying = singleflight.ExecuteAsync("a", backend.RunAsync).AsTask();

        await provider.DisposeAsync();
        await flying.ThrowsAsync<OperationCanceledException>();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await singleflight.ExecuteAsync("a", backend.RunAsync));
    }

    private sealed class Weather([FromKeyedServices("weather")] ISingleflight singleflight)
    {
        public ISingleflight Singleflight => singleflight;
    }
}
