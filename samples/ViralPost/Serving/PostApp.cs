using System.Net;
using Microsoft.AspNetCore.Connections;
using RequestCoalescing;
using ViralPost.Data;
using ViralPost.Reporting;
using ViralPost.Strategies;

namespace ViralPost.Serving;

/// <summary>The web app on Kestrel: <c>/{strategy}/post/{id}</c> answers with the named strategy, and <c>/post/{id}</c> with the one under load.</summary>
internal sealed class PostApp : IAsyncDisposable
{
    private const string Singleflight = "singleflight";

    private readonly WebApplication _app;
    private readonly Dictionary<string, Served> _byName;
    private Strategy? _underLoad;

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
        builder.Services.AddSingleflight<long>(Singleflight);
        builder.Services.AddSingleflight<long>("cache+singleflight");
        _app = builder.Build();

        _byName = Strategy.Names.ToDictionary(name => name, name =>
        {
            var meter = new QueryMeter(database);
            return new Served(Strategy.Create(name, meter, () => SingleflightOf(name), Strategy.Lifetime), meter);
        });
        _app.MapGet("/", () => Results.Text(Guide()));
        _app.MapGet("/queries", () => Results.Text(Counts()));
        _app.MapGet("/post/{id:long}", (long id, CancellationToken cancellationToken) =>
            AnswerAsync(_underLoad is { } strategy ? strategy.GetPostAsync(id, cancellationToken) : _byName[Singleflight].GetPostAsync(id, cancellationToken)));
        _app.MapGet("/{strategy}/post/{id:long}", (string strategy, long id, CancellationToken cancellationToken) =>
            _byName.TryGetValue(strategy, out var named) ? AnswerAsync(named.GetPostAsync(id, cancellationToken)) : Task.FromResult(Results.NotFound()));
        _app.MapSingleflightStats("/metrics/singleflight");
        _app.MapSingleflightDashboard("/singleflight");
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>The settings, which can be changed while the app serves.</summary>
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
            throw new StoryException($"Port {port} is in use. Choose another with --port.", exception);
        }
    }

    /// <summary>Answers <c>/post/{id}</c> with this strategy from now on.</summary>
    public void Serve(Strategy strategy) => Volatile.Write(ref _underLoad, strategy);

    /// <summary>The singleflight behind <c>/{strategy}/post/{id}</c>.</summary>
    public ISingleflight<long> SingleflightOf(string strategy) => _app.Services.GetRequiredKeyedService<ISingleflight<long>>(strategy);

    /// <summary>Instructions for the user, in lines of at most 60 columns.</summary>
    public string Guide() =>
        $"""
        This app serves posts from a database, with five strategies:
        {string.Join(", ", Strategy.Names)}.

        Send 100 requests for one post at once, and count the
        queries that they cost:

          curl -Z --no-progress-meter --parallel-immediate \
            --parallel-max 100 -o /dev/null \
            "{Address}{Singleflight}/post/1?[1-100]"
          curl -s {Address}queries

        It prints "{Singleflight}: 100 requests, 1 query".
        Replace "{Singleflight}" with another strategy and
        compare. Every strategy answers single requests too:

          curl {Address}none/post/1

        The page {Address}singleflight
        shows flights while they run. The library's statistics:

          curl {Address}metrics/singleflight

        """;

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        foreach (var served in _byName.Values) served.Dispose();
    }

    private static async Task<IResult> AnswerAsync(ValueTask<Post?> answer) => await answer is { } post ? Results.Json(post) : Results.NotFound();

    private string Counts()
    {
        var lines = _byName
            .Where(served => served.Value.Requests > 0)
            .Select(served => $"{served.Key}: {Wording.Requests(served.Value.Requests)}, {Wording.Queries(served.Value.Queries)}\n")
            .ToList();
        return lines.Count > 0 ? string.Concat(lines) : "No post has been requested yet.\n";
    }
}
