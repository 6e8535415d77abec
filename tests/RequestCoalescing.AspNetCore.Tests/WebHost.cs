using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>An app on Kestrel with two instances.</summary>
internal sealed class WebHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebHost(WebApplication app)
    {
        _app = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Client { get; }

    public string Address => _app.Urls.First();

    public Backend<int> Backend { get; } = new();

    public ISingleflight Posts => _app.Services.GetRequiredService<ISingleflight>();

    public ISingleflight Weather => _app.Services.GetRequiredKeyedService<ISingleflight>("weather");

    public static async Task<WebHost> StartAsync(Action<WebApplication> map, Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflight("weather");
        configure?.Invoke(builder.Services);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return new WebHost(app);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }
}
