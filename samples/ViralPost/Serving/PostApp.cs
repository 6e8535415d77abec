using System.Net;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Connections;
using ViralPost.Data;
using ViralPost.Strategies;

namespace ViralPost.Serving;

/// <summary>The web app on Kestrel: <c>/post/{id}</c> by the strategy of the moment, <c>/{strategy}/post/{id}</c> by any.</summary>
internal sealed class PostApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<string, Strategy> _byName;
    private Strategy _serving;

    private PostApp(PostDatabase database, int port)
    {
        _byName = Strategy.Names.ToDictionary(name => name, name => Strategy.Create(name, database));
        _serving = _byName["singleflight"];

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port);
        });
        _app = builder.Build();
        _app.MapGet("/", () => Results.Ok());
        _app.MapGet("/post/{id:long}", (long id, CancellationToken cancellationToken) => GetAsync(_serving, id, cancellationToken));
        _app.MapGet("/{strategy}/post/{id:long}", (string strategy, long id, CancellationToken cancellationToken) =>
            _byName.TryGetValue(strategy, out var named) ? GetAsync(named, id, cancellationToken) : Task.FromResult(Results.NotFound()));
        _app.MapGet("/metrics/singleflight", () => Results.Json(Metrics()));
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<PostApp> StartAsync(PostDatabase database, int port, CancellationToken cancellationToken)
    {
        var app = new PostApp(database, port);
        try
        {
            await app._app.StartAsync(cancellationToken);
            return app;
        }
        catch (IOException exception) when (exception.InnerException is AddressInUseException)
        {
            await app.DisposeAsync();
            throw new StoryException($"Port {port} is in use; choose another with --port.", exception);
        }
    }

    /// <summary>Answers <c>/post/{id}</c> by this strategy from now on.</summary>
    public void Serve(Strategy strategy) => Volatile.Write(ref _serving, strategy);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        foreach (var strategy in _byName.Values) await strategy.DisposeAsync();
    }

    private static async Task<IResult> GetAsync(Strategy strategy, long id, CancellationToken cancellationToken) =>
        await strategy.GetPostAsync(id, cancellationToken) is { } post ? Results.Json(post) : Results.NotFound();

    private SingleflightMetrics Metrics()
    {
        var all = _byName.Values.Select(strategy => strategy.Singleflight).OfType<RequestCoalescing.ISingleflight<long>>().Select(one => one.GetStats()).ToList();
        return new SingleflightMetrics(
            all.Sum(stats => stats.InFlightCount),
            all.Sum(stats => stats.TotalSubscribers),
            all.Max(stats => stats.OldestCallAge)?.TotalMilliseconds);
    }

    private sealed record SingleflightMetrics(
        [property: JsonPropertyName("in_flight_count")] int InFlightCount,
        [property: JsonPropertyName("total_subscribers")] long TotalSubscribers,
        [property: JsonPropertyName("oldest_call_age_ms")] double? OldestCallAgeMs);
}
