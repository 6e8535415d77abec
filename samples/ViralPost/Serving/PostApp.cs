using System.Net;
using Microsoft.AspNetCore.Connections;
using RequestCoalescing;
using ViralPost.Data;
using ViralPost.Strategies;

namespace ViralPost.Serving;

/// <summary>The web app on Kestrel: <c>/post/{id}</c> by the strategy of the moment, <c>/{strategy}/post/{id}</c> by any.</summary>
internal sealed class PostApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<string, Strategy> _byName;
    private Strategy _serving;

    private PostApp(PostDatabase database, int port, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port);
        });
        builder.Services.AddSingleflight<long>("singleflight");
        builder.Services.AddSingleflight<long>("cache+singleflight");
        _app = builder.Build();

        _byName = Strategy.Names.ToDictionary(name => name, name => Strategy.Create(name, database, () => SingleflightOf(name)));
        _serving = _byName["singleflight"];
        _app.MapGet("/", () => Results.Ok());
        _app.MapGet("/post/{id:long}", (long id, CancellationToken cancellationToken) => GetAsync(_serving, id, cancellationToken));
        _app.MapGet("/{strategy}/post/{id:long}", (string strategy, long id, CancellationToken cancellationToken) =>
            _byName.TryGetValue(strategy, out var named) ? GetAsync(named, id, cancellationToken) : Task.FromResult(Results.NotFound()));
        _app.MapSingleflightStats("/metrics/singleflight");
        _app.MapSingleflightDashboard("/singleflight");
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>The settings, to be changed while the app serves.</summary>
    public IConfigurationRoot Settings => (IConfigurationRoot)_app.Configuration;

    public static async Task<PostApp> StartAsync(
        PostDatabase database,
        int port,
        IEnumerable<KeyValuePair<string, string?>> settings,
        CancellationToken cancellationToken)
    {
        var app = new PostApp(database, port, settings);
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

    /// <summary>What coalesces behind <c>/{strategy}/post/{id}</c>.</summary>
    public ISingleflight<long> SingleflightOf(string strategy) => _app.Services.GetRequiredKeyedService<ISingleflight<long>>(strategy);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        foreach (var strategy in _byName.Values) strategy.Dispose();
    }

    private static async Task<IResult> GetAsync(Strategy strategy, long id, CancellationToken cancellationToken) =>
        await strategy.GetPostAsync(id, cancellationToken) is { } post ? Results.Json(post) : Results.NotFound();
}
