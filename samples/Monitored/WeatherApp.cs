using System.Net;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using RequestCoalescing;

namespace Monitored;

/// <summary>The app under observation. It coalesces its calls to the weather backend, and serves its metrics, its health and the live page.</summary>
internal sealed class WeatherApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WeatherApp(Uri backend, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Services
            .AddSingleflight("weather", options => options.MaxDuration = TimeSpan.FromSeconds(3))
            .WithTelemetry(telemetry => telemetry.SubscriberWarningThreshold = 100);
        builder.Services.AddHealthChecks().AddSingleflight();
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics.AddMeter(SingleflightTelemetry.MeterName).AddPrometheusExporter())
            .WithTracing(tracing => tracing.AddSource(SingleflightTelemetry.ActivitySourceName));
        builder.Services.AddSingleton(new HttpClient { BaseAddress = backend, Timeout = Timeout.InfiniteTimeSpan });

        _app = builder.Build();
        _app.MapGet("/weather/{city}", GetWeatherAsync);
        _app.MapHealthChecks("/health");
        _app.MapPrometheusScrapingEndpoint("/metrics");
        _app.MapSingleflightStats();
        _app.MapSingleflightDashboard();
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<WeatherApp> StartAsync(Uri backend, int port)
    {
        var app = new WeatherApp(backend, port);
        await app._app.StartAsync();
        return app;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task<IResult> GetWeatherAsync(
        string city,
        [FromKeyedServices("weather")] ISingleflight weather,
        HttpClient backend,
        CancellationToken cancellationToken)
    {
        try
        {
            // This is the mistake that the alert finds: the work ignores the flight's token, so that a hung backend holds it for ever.
            var json = await weather.ExecuteAsync(city, _ => backend.GetStringAsync($"weather/{city}", CancellationToken.None), cancellationToken);
            return Results.Text(json, "application/json");
        }
        catch (FlightTimeoutException)
        {
            return Results.StatusCode(StatusCodes.Status504GatewayTimeout);
        }
    }
}
