using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using RequestCoalescing.Http.Tests;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>An application on Kestrel whose endpoint <c>/stage/…</c> answers what the test says.</summary>
internal sealed class App : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<Exchange> _runs;

    private App(WebApplication app, Channel<Exchange> runs, HttpProtocols protocol)
    {
        (_app, _runs) = (app, runs);
        var handler = Protocol.NewHandler();
        handler.AllowAutoRedirect = false;
        Client = new HttpClient(handler)
        {
            BaseAddress = new Uri(app.Urls.First()),
            DefaultRequestVersion = Protocol.VersionOf(protocol),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public ISingleflight Flights => FlightsOf("requests");

    public FakeLogCollector Logs => Services.GetFakeLogCollector();

    /// <param name="policies">The policies.</param>
    /// <param name="services">Adds services.</param>
    /// <param name="pipeline">Adds middleware and endpoints, and <c>UseRequestCoalescing</c>. Null for that alone.</param>
    /// <param name="policy">The policy of the stage.</param>
    /// <param name="environment">The environment of the host.</param>
    /// <param name="protocol">The version of HTTP. The test is skipped if this machine cannot speak it.</param>
    public static async Task<App> StartAsync(
        Action<RequestCoalescingBuilder>? policies = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? pipeline = null,
        string? policy = null,
        string environment = "Production",
        HttpProtocols protocol = HttpProtocols.Http1)
    {
        Protocol.SkipUnlessSupported(protocol);
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Logging.ClearProviders().AddFakeLogging();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(protocol));
        builder.Services.AddRequestCoalescing(policies);
        services?.Invoke(builder.Services);
        var app = builder.Build();
        if (pipeline is null) app.UseRequestCoalescing();
        else pipeline(app);
        var runs = Channel.CreateUnbounded<Exchange>();
        app.MapMethods("/stage/{**rest}", ["GET", "HEAD", "POST"], (HttpContext context) => PlayAsync(context, runs)).WithRequestCoalescing(policy);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return new App(app, runs, protocol);
    }

    public ISingleflight FlightsOf(string instance) => Services.GetRequiredKeyedService<ISingleflight>(instance);

    /// <summary>Returns the next run of the stage.</summary>
    public async Task<Exchange> NextRunAsync() => await _runs.Reader.ReadAsync().AsTask().SoonAsync();

    public Task<HttpResponseMessage> GetAsync(string path = "/stage", params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, default, headers);

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, CancellationToken token, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, new Uri(Client.BaseAddress + path.TrimStart('/'), new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }))
        {
            Version = Client.DefaultRequestVersion,
            VersionPolicy = Client.DefaultVersionPolicy,
        };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
    }

    /// <summary>Sends requests, and waits until all of them are in one flight.</summary>
    public async Task<Task<HttpResponseMessage>[]> GetTogetherAsync(int count, string path = "/stage", string instance = "requests")
    {
        var requests = Enumerable.Range(0, count).Select(_ => GetAsync(path)).ToArray();
        await FlightsOf(instance).UntilSubscribersAsync(count);
        return requests;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }

    private static async Task PlayAsync(HttpContext context, Channel<Exchange> runs)
    {
        var exchange = new Exchange(context);
        await runs.Writer.WriteAsync(exchange);
        await exchange.Ended;
    }
}
