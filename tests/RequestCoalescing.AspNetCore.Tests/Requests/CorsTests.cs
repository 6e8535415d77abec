using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>The answer to a page of another origin names that origin. It never names the origin of another caller.</summary>
public sealed class CorsTests
{
    private const string A = "https://a.example";
    private const string B = "https://b.example";
    private const string Stranger = "https://c.example";

    [Fact]
    public async Task Before_it_CORS_answers_each_caller_and_all_share_a_run()
    {
        await using var app = await App.StartAsync(services: AddCors, pipeline: static app =>
        {
            app.UseCors("known");
            app.UseRequestCoalescing();
        });
        string?[] origins = [A, B, Stranger, null, A];
        var requests = origins.Select(origin => GetAsync(app, "/stage", origin)).ToArray();
        var run = await app.NextRunAsync();
        await app.Flights.UntilSubscribersAsync(5);
        await run.RespondAsync("shared", 200, ("Vary", "Accept"));
        var responses = await Task.WhenAll(requests).SoonAsync();
        Assert.Equal([A, B, null, null, A], responses.Select(AllowedOf));
        Assert.All(responses.Where(static response => AllowedOf(response) is not null), static response => Assert.Equal(["Accept", "Origin"], response.Headers.Vary.Order(StringComparer.Ordinal)));
        Assert.Equal(1, app.Flights.GetStats().Flights);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_it_CORS_needs_the_origin_in_the_key(bool isInKey)
    {
        await using var app = await App.StartAsync(
            policies: requests => requests.AddPolicy("cross", policy => policy.VaryByHeader(isInKey ? "Origin" : "X-Other")),
            services: static services =>
            {
                AddCors(services);
                services.AddSingleton(new CountdownEvent(2));
            },
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.UseCors();
                app.MapGet("/cross", static (CountdownEvent runs) => runs.Signal()).RequireCors("known").WithRequestCoalescing("cross");
            });
        var responses = await Task.WhenAll(GetAsync(app, "/cross", A), GetAsync(app, "/cross", B)).SoonAsync();
        Assert.All(responses, response => Assert.Equal(isInKey ? HttpStatusCode.OK : HttpStatusCode.InternalServerError, response.StatusCode));
        Assert.Equal(isInKey ? [A, B] : [null, null], responses.Select(AllowedOf));
        Assert.Equal(isInKey, app.Services.GetRequiredService<CountdownEvent>().IsSet);
        if (!isInKey) Assert.Contains(app.Logs.GetSnapshot(), static entry => entry.Exception?.Message.Contains("Call app.UseCors() before app.UseRequestCoalescing()", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task An_endpoint_without_CORS_after_it_needs_no_origin()
    {
        await using var app = await App.StartAsync(services: AddCors, pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.UseCors();
            app.MapGet("/own", static () => "own").RequireCors("known").WithMetadata(new Microsoft.AspNetCore.Cors.DisableCorsAttribute()).WithRequestCoalescing();
        });
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(app, "/own", A)).StatusCode);
    }

    [Fact]
    public async Task An_endpoint_that_names_the_origin_itself_runs_once_for_each_origin()
    {
        await using var app = await App.StartAsync();
        string[] origins = [A, B, A];
        var requests = origins.Select(origin => GetAsync(app, "/stage", origin)).ToArray();
        var run = await app.NextRunAsync();
        await app.Flights.UntilSubscribersAsync(3);
        Assert.False(run.Headers.ContainsKey("Origin"));
        await run.RespondAsync("", 200, ("Vary", "Origin"));
        var runs = new[] { await app.NextRunAsync(), await app.NextRunAsync() };
        await app.Flights.UntilSubscribersAsync(3);
        foreach (var again in runs) await again.RespondAsync("", 200, ("Vary", "Origin"), ("Access-Control-Allow-Origin", again.Headers["Origin"]));
        Assert.Equal(origins, (await Task.WhenAll(requests).SoonAsync()).Select(AllowedOf));
        Assert.Equal(3, app.Flights.GetStats().Flights);
    }

    private static void AddCors(IServiceCollection services) =>
        services.AddCors(static cors => cors.AddPolicy("known", static policy => policy.WithOrigins(A, B)));

    private static Task<HttpResponseMessage> GetAsync(App app, string path, string? origin) => app.GetAsync(path, origin is null ? [] : [("Origin", origin)]);

    private static string? AllowedOf(HttpResponseMessage response) => response.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single() : null;
}
