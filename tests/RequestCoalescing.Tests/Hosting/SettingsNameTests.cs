using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>An unknown setting is an error. Otherwise a mistyped kill switch would silently do nothing.</summary>
public sealed class SettingsNameTests
{
    [Theory]
    [InlineData("Singleflight:wether:Rollout:Enabled", "false", "Singleflight:wether is no instance and no setting. Did you mean 'weather'?")]
    [InlineData("Singleflight:weather:Rollout:Enable", "false", "Singleflight:weather:Rollout:Enable is no setting. Did you mean 'Enabled'?")]
    [InlineData("Singleflight:weather:Rolout:Enabled", "false", "Singleflight:weather:Rolout is no setting. Did you mean 'Rollout'?")]
    [InlineData("Singleflight:weather:MaxSubscriber", "1", "Singleflight:weather:MaxSubscriber is no setting. Did you mean 'MaxSubscribers'?")]
    [InlineData("Singleflight:weather:weather:MaxSubscribers", "1", "Singleflight:weather:weather is no setting.")]
    [InlineData("Singleflight:MaxDuraton", "00:00:05", "Did you mean 'MaxDuration'?")]
    [InlineData("Singleflight:Int46:MaxInFlight", "1", "Did you mean 'Int64'?")]
    [InlineData("Singleflight:weather:Rollout", "false", "Singleflight:weather:Rollout is a section: 'false' has no effect there.")]
    [InlineData("Singleflight:weather:MaxInFlight:Limit", "7", "Singleflight:weather:MaxInFlight:Limit: MaxInFlight is one value")]
    [InlineData("Singleflight:weather:Name", "wether", "Singleflight:weather:Name is no setting.")]
    [InlineData("Singleflight:weather:IsReported", "false", "Singleflight:weather:IsReported is no setting.")]
    [InlineData("Singleflight:weather:TimeProvider", "System", "Singleflight:weather:TimeProvider is no setting.")]
    [InlineData("Singleflight:weather:Telemetry:KeyRedactor", "x", "Did you mean 'KeyRedaction'?")]
    [InlineData("Singleflight:weather:Bulkhead:Sise", "1", "Did you mean 'Size'?")]
    [InlineData("Singleflight:weather:MaxDuration", "5", "Singleflight:weather:MaxDuration: '5' would be days. Write 00:00:05 for seconds")]
    [InlineData("Singleflight:JoinWindow", "0.5", "Write 00:00:00.5000000 for seconds")]
    [InlineData("Singleflight:weather:Bulkhead:Patience", "90", "Write 00:01:30 for seconds")]
    public async Task A_setting_without_effect_fails_the_start_with_the_nearest_name(string setting, string value, string expected)
    {
        using var host = Build(new ConfigurationBuilder().AddInMemoryCollection([new(setting, value)]).Build());
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_error_lists_all_unknown_settings()
    {
        using var host = Build(new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:wether:MaxInFlight", "1"), new("Singleflight:weather:Rollout:Enable", "false")]).Build());
        Assert.Equal(2, (await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync())).Failures.Count());
    }

    [Fact]
    public async Task A_setting_of_a_missing_unnamed_instance_gets_the_path_of_a_named_one_as_hint()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new("Singleflight:Rollout:Enabled", "false")]);
        builder.Services.AddSingleflight("weather");
        using var host = builder.Build();
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("Did you mean 'weather:Rollout'?", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Setting_names_ignore_case_and_empty_sections_are_ignored()
    {
        using var host = Build(new ConfigurationBuilder().AddInMemoryCollection(
        [
            new("singleflight:WEATHER:rollout:ENABLED", "false"), new("Singleflight:Telemetry", ""), new("Singleflight:int64:maxduration", "00:00:05"),
            new("Singleflight:weather:Bulkhead:Names:0", "a"), new("Singleflight:weather:Bulkhead:Inner:Depth", "1"), new("SingleflightCache:Anything", "1"),
        ]).Build());
        await host.StartAsync();
        await host.StopAsync();
    }

    [Theory]
    [InlineData("Singleflight:wether:Rollout:Enabled", "false", "Did you mean 'weather'?")]
    [InlineData("Singleflight:weather:Rollout:Enable", "false", "Did you mean 'Enabled'?")]
    [InlineData("Singleflight:weather:MaxDuration", "5", "Write 00:00:05")]
    [InlineData("Singleflight:weather:Bulkhead:Sise", "1", "Did you mean 'Size'?")]
    public async Task A_reload_logs_an_unknown_setting_once_and_keeps_the_valid_settings(string setting, string value, string expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:weather:Rollout:Enabled", "false")]).Build();
        using var host = Build(configuration);
        await host.StartAsync();
        var weather = host.Services.GetRequiredKeyedService<ISingleflight>("weather");
        await weather.ExecuteAsync("a", static _ => ValueTask.FromResult(1));

        configuration["Singleflight:weather:Rollout:Enabled"] = null; // remove the valid setting
        configuration[setting] = value;
        configuration.Reload();
        var logged = Assert.Single(host.Services.GetFakeLogCollector().GetSnapshot(), entry => entry.Id.Id == 9);
        Assert.Equal(LogLevel.Error, logged.Level);
        Assert.Contains(expected, logged.Message, StringComparison.Ordinal);
        await weather.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        Assert.Equal(2, weather.GetStats().Alone);

        configuration[setting] = null;
        configuration.Reload();
        await weather.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        Assert.Equal((3, 2), (weather.GetStats().Calls, weather.GetStats().Alone));
        await host.StopAsync();
    }

    private static IHost Build(IConfiguration configuration)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(configuration);
        builder.Services.AddLogging(logging => logging.AddFakeLogging());
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflight<long>();
        builder.Services.AddSingleflight("weather").BindSettings<BulkheadOptions>("Bulkhead", static (section, options) => section.Bind(options), static _ => { });
        return builder.Build();
    }

    // Settings as another package may have them.
    private sealed class BulkheadOptions
    {
        public int Size { get; set; }

        public TimeSpan? Patience { get; set; }

        public List<string> Names { get; set; } = [];

        public Part? Inner { get; set; }

        public sealed class Part
        {
            public int Depth { get; set; }
        }
    }
}
