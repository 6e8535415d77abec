using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Http.Tests;

/// <summary>A client whose requests are coalesced, and a real origin.</summary>
public abstract class HandlerFixture(HttpProtocols protocol = HttpProtocols.Http1) : IAsyncLifetime
{
    private readonly List<ServiceProvider> _providers = [];

    protected Origin Origin { get; private set; } = null!;

    protected FakeTimeProvider Clock { get; } = new(DateTimeOffset.UtcNow);

    protected HttpClient Client { get; private set; } = null!;

    protected ISingleflight Flights { get; private set; } = null!;

    internal HttpCoalescer Coalescer { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Protocol.SkipUnlessSupported(protocol);
        Origin = await Origin.StartAsync(protocol);
        Use(static _ => { });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <param name="configure">Sets the options of the handler.</param>
    /// <param name="limits">Sets the limits of its instance.</param>
    /// <param name="behind">Makes a handler between it and the origin.</param>
    protected void Use(Action<HttpCoalescingOptions> configure, Action<SingleflightOptions>? limits = null, Func<DelegatingHandler>? behind = null)
    {
        var services = new ServiceCollection();
        var client = services.AddHttpClient("origin", client =>
            {
                client.BaseAddress = Origin.Address;
                client.DefaultRequestVersion = Protocol.VersionOf(protocol);
                client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
            })
            .ConfigurePrimaryHttpMessageHandler(static () => Protocol.NewHandler())
            .AddRequestCoalescing(configure);
        if (behind is not null) client.AddHttpMessageHandler(behind);
        services.AddSingleflight("http-origin", options =>
        {
            options.TimeProvider = Clock;
            limits?.Invoke(options);
        });
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        Client = provider.GetRequiredService<IHttpClientFactory>().CreateClient("origin");
        Flights = provider.GetRequiredKeyedService<ISingleflight>("http-origin");
        Coalescer = provider.GetRequiredKeyedService<HttpCoalescer>("http-origin");
    }

    /// <summary>Sends two requests that share one, and lets the first of them leave.</summary>
    protected async Task<(Exchange Exchange, Task<HttpResponseMessage> Follower)> FollowALeaderThatLeavesAsync()
    {
        using var leaving = new CancellationTokenSource();
        var leader = SendAsync(HttpMethod.Get, "/", leaving.Token);
        var exchange = await Origin.NextAsync();
        var follower = GetAsync();
        await Flights.UntilSubscribersAsync(2);
        await leaving.CancelAsync();
        await leader.ThrowsAsync<OperationCanceledException>();
        return (exchange, follower);
    }

    protected Task<HttpResponseMessage> GetAsync(string path = "/", params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, default, headers);

    protected Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, CancellationToken token, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Version = Client.DefaultRequestVersion, VersionPolicy = Client.DefaultVersionPolicy };
        foreach (var (name, value) in headers) Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
    }

    protected static async Task<string> TextOf(Task<HttpResponseMessage> response)
    {
        using var message = await response.SoonAsync();
        return await message.Content.ReadAsStringAsync().SoonAsync();
    }

    /// <summary>Nothing stays behind: no flight, no body, no buffer.</summary>
    protected async Task AllIsFreeAsync()
    {
        await Patience.UntilAsync(() => Coalescer.BufferedBytes == 0 && Coalescer.Streaming == 0, "the buffers are free");
        Assert.Equal((0, 0L), (Flights.GetStats().InFlightCount, Flights.GetStats().TotalSubscribers));
    }
}
