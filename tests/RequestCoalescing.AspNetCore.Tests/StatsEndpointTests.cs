using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.AspNetCore.Tests;

public sealed class StatsEndpointTests
{
    [Fact]
    public async Task The_endpoint_reports_all_instances_and_their_sums()
    {
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightStats());
        var callers = Enumerable.Range(0, 3).Select(_ => host.Posts.ExecuteAsync("a", host.Backend.RunAsync).AsTask()).ToArray();
        var run = await host.Backend.NextRunAsync();
        await host.Weather.ExecuteAsync("b", static _ => ValueTask.FromResult(1));

        var flying = await ReadAsync(host);
        Assert.Equal((1, 3, 4), (Int(flying, "in_flight_count"), Int(flying, "total_subscribers"), Int(flying, "calls")));
        Assert.True(flying.GetProperty("oldest_call_age_ms").GetDouble() >= 0);
        Assert.Equal(["default", "weather"], flying.GetProperty("instances").EnumerateArray().Select(instance => instance.GetProperty("name").GetString()));
        var weather = flying.GetProperty("instances")[1];
        Assert.Equal((0, 1, 1), (Int(weather, "in_flight_count"), Int(weather, "calls"), Int(weather, "succeeded")));
        Assert.Equal(JsonValueKind.Null, weather.GetProperty("oldest_call_age_ms").ValueKind);

        run.Succeed(1);
        await Task.WhenAll(callers).SoonAsync();
        var landed = await ReadAsync(host);
        Assert.Equal((0, 2, 2), (Int(landed, "in_flight_count"), Int(landed, "coalesced"), Int(landed, "flights")));
        Assert.Equal(0.5, landed.GetProperty("hit_rate").GetDouble());
        Assert.Equal(JsonValueKind.Null, landed.GetProperty("oldest_call_age_ms").ValueKind);
    }

    [Fact]
    public async Task The_endpoint_reports_every_statistic()
    {
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightStats());
        var reported = (await ReadAsync(host)).EnumerateObject().Select(field => field.Name).ToHashSet();
        var missing = typeof(SingleflightStats).GetProperties()
            .Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name))
            .Where(name => !reported.Contains(name) && !reported.Contains($"{name}_ms") && name != "would_be_reduction"); // the quotient of two reported counts
        Assert.Empty(missing);
    }

    [Fact]
    public async Task No_endpoint_exists_unless_it_is_mapped()
    {
        await using var host = await WebHost.StartAsync(static _ => { });
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/metrics/singleflight")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/singleflight")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/singleflight/data")).StatusCode);
    }

    [Fact]
    public async Task The_endpoints_can_require_authorization()
    {
        await using var host = await WebHost.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.MapSingleflightStats("/internal/stats").RequireAuthorization();
                app.MapSingleflightDashboard("/internal/page").RequireAuthorization();
            },
            services =>
            {
                services.AddAuthentication("none").AddScheme<AuthenticationSchemeOptions, NoUser>("none", null);
                services.AddAuthorization();
            });
        foreach (var path in new[] { "/internal/stats", "/internal/page", "/internal/page/data" })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync(path)).StatusCode);
        }
    }

    [Fact]
    public void Mapping_without_an_instance_throws()
    {
        var app = WebApplication.CreateSlimBuilder().Build();
        Assert.Contains("AddSingleflight", Assert.Throws<InvalidOperationException>(() => app.MapSingleflightStats()).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => app.MapSingleflightDashboard());
    }

    private static int Int(JsonElement json, string field) => json.GetProperty(field).GetInt32();

    private static async Task<JsonElement> ReadAsync(WebHost host)
    {
        using var response = await host.Client.GetAsync("/metrics/singleflight");
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.True(response.Headers.CacheControl!.NoStore);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
    }

    private sealed class NoUser(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());
    }
}
