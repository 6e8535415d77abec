using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>Engines that were made by hand are shown beside the registered instances.</summary>
/// <remarks>Not beside other tests: they are the whole process's.</remarks>
[CollectionDefinition(nameof(UnregisteredTests), DisableParallelization = true)]
[Collection(nameof(UnregisteredTests))]
public sealed class UnregisteredTests
{
    [Fact]
    public async Task They_are_told_while_they_live()
    {
        await using var host = await WebHost.StartAsync(app =>
        {
            app.MapSingleflightStats();
            app.MapSingleflightDashboard();
        });
        var profiles = new Singleflight<long>(new SingleflightOptions { Name = "profiles", MaxDuration = TimeSpan.FromSeconds(7) });
        var call = profiles.ExecuteAsync(4711, host.Backend.RunAsync).AsTask();
        var run = await host.Backend.NextRunAsync();

        var stats = await host.Client.GetFromJsonAsync<JsonElement>("/metrics/singleflight");
        Assert.Equal(1, stats.GetProperty("in_flight_count").GetInt32());
        var told = stats.GetProperty("instances").EnumerateArray().Single(instance => instance.GetProperty("name").GetString() == "profiles");
        Assert.Equal((1, 7_000), (told.GetProperty("calls").GetInt32(), told.GetProperty("max_duration_ms").GetDouble()));
        var shown = (await host.Client.GetFromJsonAsync<JsonElement>("/singleflight/data")).GetProperty("instances").EnumerateArray()
            .Single(instance => instance.GetProperty("stats").GetProperty("name").GetString() == "profiles");
        Assert.StartsWith("#", shown.GetProperty("in_flight")[0].GetProperty("key").GetString(), StringComparison.Ordinal);

        run.Succeed(1);
        await call.SoonAsync();
        await profiles.DisposeAsync();
        stats = await host.Client.GetFromJsonAsync<JsonElement>("/metrics/singleflight");
        Assert.Equal(["default", "weather"], stats.GetProperty("instances").EnumerateArray().Select(instance => instance.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task They_are_enough_for_a_page()
    {
        await using var profiles = new Singleflight<long>();
        var app = WebApplication.CreateSlimBuilder().Build();
        app.MapSingleflightStats();
        app.MapSingleflightDashboard();
    }
}
