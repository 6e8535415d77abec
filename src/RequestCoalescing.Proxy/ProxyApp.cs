using System.Net;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Metrics;
using RequestCoalescing.Yarp;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace RequestCoalescing.Proxy;

/// <summary>The proxy: YARP whose forwarding is coalesced, and an address for its operators.</summary>
internal sealed class ProxyApp : IAsyncDisposable
{
    private const string PolicyPrefix = "proxy-";

    private static readonly object s_isAdmin = new();
    private static readonly TimeSpan s_defaultTimeout = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;

    private ProxyApp(WebApplication app, ProxySettings settings)
    {
        _app = app;
        var bound = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(static address => new Uri(address)).ToList();
        Addresses = bound[..settings.Listen.Count];
        Admin = settings.Admin is null ? null : bound[^1];
    }

    /// <summary>The addresses that it listens on.</summary>
    public IReadOnlyList<Uri> Addresses { get; }

    public Uri? Admin { get; }

    public static async Task<ProxyApp> StartAsync(ProxySettings settings, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Yarp", LogLevel.Error).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // the command line tells why it cannot start
        if (settings.Config is { } config) builder.Configuration.AddJsonFile(Path.GetFullPath(config), optional: false, reloadOnChange: true);
        var routes = builder.Configuration.GetSection("ReverseProxy");
        if (settings.Origins.Count > 0 && routes.Exists()) throw new ArgumentException("The configuration file has routes (ReverseProxy). Give it without --origin.");
        if (settings.Origins.Count == 0 && !routes.Exists()) throw new ArgumentException("The configuration file has no routes (ReverseProxy), and there is no --origin.");

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null; // the origin decides
            foreach (var address in settings.Listen) Listen(kestrel, address, isAdmin: false);
            if (settings.Admin is { } admin) Listen(kestrel, admin, isAdmin: true);
        });
        builder.Services.ConfigureAll<SingleflightOptions>(static options => options.MaxDuration = s_defaultTimeout); // before the settings of the file
        var proxy = builder.Services.AddReverseProxy();
        proxy = settings.Origins.Count > 0 ? proxy.LoadFromMemory([Route], [ClusterOf(settings.Origins)]) : proxy.LoadFromConfig(routes);
        proxy.AddRequestCoalescing(policies => AddPolicies(policies, builder.Configuration, settings.Redis));
        if (settings.Admin is not null) // otherwise nothing reads what would be measured
        {
            builder.Services.AddHealthChecks().AddSingleflight();
            builder.Services.AddOpenTelemetry().WithMetrics(static metrics => metrics.AddMeter(SingleflightTelemetry.MeterName, "Microsoft.AspNetCore.Server.Kestrel").AddPrometheusExporter());
        }

        // After the settings of the file, because the command line is nearer.
        builder.Services.PostConfigureAll<SingleflightOptions>(options =>
        {
            if (settings.Timeout is { } timeout) options.MaxDuration = timeout;
        });

        var app = builder.Build();
        if (settings.Admin is not null) MapAdmin(app);
        app.UseRouting();
        app.MapReverseProxy();
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return new ProxyApp(app, settings);
    }

    public ISingleflight FlightsOf(string instance) => _app.Services.GetRequiredKeyedService<ISingleflight>(instance);

    public Task WaitForShutdownAsync(CancellationToken cancellationToken) => _app.WaitForShutdownAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static RouteConfig Route => new RouteConfig
    {
        RouteId = "all",
        ClusterId = "origin",
        Match = new RouteMatch { Path = "{**all}" },
        Metadata = new Dictionary<string, string> { ["RequestCoalescing"] = "default" },
        Transforms = [new Dictionary<string, string> { ["RequestHeaderOriginalHost"] = "true" }],
    };

    private static ClusterConfig ClusterOf(IReadOnlyList<Uri> origins) => new()
    {
        ClusterId = "origin",
        LoadBalancingPolicy = "PowerOfTwoChoices",
        Destinations = origins.Select(static (origin, number) => (origin, number)).ToDictionary(static entry => $"{entry.number}", static entry => new DestinationConfig { Address = entry.origin.ToString() }),
        HttpClient = new HttpClientConfig { EnableMultipleHttp2Connections = true },
        HttpRequest = new ForwarderRequestConfig { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower },
    };

    private static void MapAdmin(WebApplication app) =>
        app.MapWhen(static context => context.Features.Get<IConnectionItemsFeature>()?.Items.ContainsKey(s_isAdmin) == true, static admin => admin
            .UseRouting()
            .UseEndpoints(static endpoints =>
            {
                endpoints.MapHealthChecks("/health");
                endpoints.MapPrometheusScrapingEndpoint("/metrics");
                endpoints.MapSingleflightStats();
                endpoints.MapSingleflightDashboard("/");
            }));

    // Each section Singleflight:proxy-NAME is a policy that routes choose by NAME.
    private static void AddPolicies(ProxyCoalescingBuilder policies, ConfigurationManager configuration, string? redis)
    {
        Action<ISingleflightBuilder>? cluster = redis is null ? null : instance => instance.UseRedis(redis);
        policies.AddDefaultPolicy(cluster: cluster);
        foreach (var section in configuration.GetSection("Singleflight").GetChildren())
        {
            if (section.Key.StartsWith(PolicyPrefix, StringComparison.OrdinalIgnoreCase) && !section.Key.EndsWith("-cluster", StringComparison.OrdinalIgnoreCase)) policies.AddPolicy(section.Key[PolicyPrefix.Length..], cluster: cluster);
        }
    }

    private static void Listen(KestrelServerOptions kestrel, Uri address, bool isAdmin)
    {
        if (address.Host == "localhost") kestrel.ListenLocalhost(address.Port, Configure);
        else if (IPAddress.TryParse(address.DnsSafeHost, out var ip)) kestrel.Listen(ip, address.Port, Configure);
        else throw new ArgumentException($"'{address}' is no address to listen on. Its host must be an IP address, localhost or *.");

        void Configure(ListenOptions listen)
        {
            if (!isAdmin) return;
            listen.Use(next => connection =>
            {
                connection.Items[s_isAdmin] = true;
                return next(connection);
            });
        }
    }
}
