using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>Engines that are created by hand are shown beside the registered instances.</summary>
/// <remarks>These tests run apart from others, because such engines belong to the whole process.</remarks>
[CollectionDefinition(nameof(UnregisteredTests), DisableParallelization = true)]
[Collection(nameof(UnregisteredTests))]
public sealed class UnregisteredTests
{
    [Fact]
    public async Task Engines_that_are_created_by_hand_are_shown_while_they_live()
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
        var reported = stats.GetProperty("instances").EnumerateArray().Single(instance => instance.GetProperty("name").GetString() == "profiles");
        Assert.Equal((1, 7_000), (reported.GetProperty("calls").GetInt32(), reported.GetProperty("max_duration_ms").GetDouble()));
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
    public async Task The_page_can_be_mapped_with_an_engine_that_is_created_by_hand()
    {
        await using var profiles = new Singleflight<long>();
        var app = WebApplication.CreateSlimBuilder().Build();
        app.MapSingleflightStats();
        app.MapSingleflightDashboard();
    }
}
