using System.Net;
using System.Net.Sockets;
using RequestCoalescing.Proxy;

namespace RequestCoalescing.Proxy.Tests;

/// <summary>The proxy in front of real origins.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseCookies = false, MaxConnectionsPerServer = 1_000 }) { Timeout = TimeSpan.FromMinutes(1) };
    private readonly List<ProxyApp> _proxies = [];
    private Origin _origin = null!;

    public async ValueTask InitializeAsync() => _origin = await Origin.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        foreach (var proxy in _proxies) await proxy.DisposeAsync();
        await _origin.DisposeAsync();
    }

    [Fact]
    public async Task Equal_requests_become_one_and_the_host_is_passed_on()
    {
        var proxy = await StartAsync();
        var requests = Enumerable.Range(0, 20).Select(number => GetAsync(proxy, "/feed?page=1", ("Host", "example.org"), ("User-Agent", $"client {number}"), ("X-Forwarded-For", $"10.0.0.{number}"))).ToArray();
        var exchange = await _origin.NextAsync();
        await UntilSubscribersAsync(proxy, 20);
        Assert.Equal(("/feed?page=1", "example.org"), (exchange.Target, exchange.Headers["Host"]));
        Assert.DoesNotContain(exchange.Headers.Keys, static name => name.StartsWith("X-Forwarded", StringComparison.OrdinalIgnoreCase));
        await exchange.RespondAsync("once", 200, ("X-Kind", "feed"), ("Trailer", "X-Sum"));
        var responses = await Task.WhenAll(requests).SoonAsync();
        foreach (var response in responses) Assert.Equal(("once", "feed"), (await response.Content.ReadAsStringAsync(), response.Headers.GetValues("X-Kind").Single()));
        Assert.Equal(19, responses.Count(static response => response.Headers.TryGetValues("Cache-Status", out var values) && values.Single() == "\"proxy\"; fwd=miss; collapsed"));
        Assert.Equal(1, _origin.Requests);
    }

    [Fact]
    public async Task A_private_response_sends_the_others_on_at_once_and_the_next_burst_does_not_wait()
    {
        var proxy = await StartAsync();
        for (var burst = 0; burst < 2; burst++)
        {
            var requests = Enumerable.Range(0, 5).Select(_ => GetAsync(proxy, "/me")).ToArray();
            var exchanges = new List<Exchange> { await _origin.NextAsync() };
            if (burst == 0)
            {
                await UntilSubscribersAsync(proxy, 5);
                await exchanges[0].RespondAsync("0", 200, ("Cache-Control", "private"));
            }

            while (exchanges.Count < 5) exchanges.Add(await _origin.NextAsync()); // all at once
            for (var number = burst == 0 ? 1 : 0; number < 5; number++) await exchanges[number].RespondAsync($"{number}", 200, ("Cache-Control", "private"));
            var bodies = await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync()));
            Assert.Equal(["0", "1", "2", "3", "4"], bodies.Order());
        }
    }

    [Fact]
    public async Task Clients_past_MaxAlone_get_503_when_a_response_is_private()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.json");
        try
        {
            await File.WriteAllTextAsync(file, """{ "Singleflight": { "proxy": { "Http": { "MaxAlone": 1 } } } }""");
            var proxy = await StartAsync(settings => settings with { Config = file });
            var requests = Enumerable.Range(0, 4).Select(_ => GetAsync(proxy, "/me")).ToArray();
            var leading = await _origin.NextAsync();
            await UntilSubscribersAsync(proxy, 4);
            await leading.RespondAsync("leader", 200, ("Cache-Control", "private"));
            var alone = await _origin.NextAsync();
            await Patience.UntilAsync(() => requests.Count(static request => request.IsCompleted) == 3, "two are rejected");
            await alone.RespondAsync("alone", 200, ("Cache-Control", "private"));
            var responses = await Task.WhenAll(requests).SoonAsync();
            Assert.Equal([200, 200, 503, 503], responses.Select(static response => (int)response.StatusCode).Order());
            Assert.All(responses, static response => Assert.Equal(response.StatusCode == HttpStatusCode.OK ? null : "1", response.Headers.RetryAfter?.ToString()));
            Assert.Equal(2, _origin.Requests);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Other_requests_are_forwarded_as_they_came()
    {
        var proxy = await StartAsync();
        using var post = new HttpRequestMessage(HttpMethod.Post, new Uri(proxy.Addresses[0], "/orders")) { Content = new StringContent("an order") };
        post.Headers.Add("Cookie", "session=1");
        var posting = _client.SendAsync(post);
        var exchange = await _origin.NextAsync();
        Assert.Equal(("session=1", "an order"), (exchange.Headers["Cookie"], await new StreamReader(exchange.Context.Request.Body).ReadToEndAsync()));
        await exchange.RespondAsync("done", 201, ("Set-Cookie", "a=1"));
        var response = await posting.SoonAsync();
        Assert.Equal((HttpStatusCode.Created, "a=1", "done"), (response.StatusCode, response.Headers.GetValues("Set-Cookie").Single(), await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Several_origins_serve_the_same_so_that_equal_requests_become_one_over_all_of_them()
    {
        await using var second = await Origin.StartAsync();
        var proxy = await StartAsync(settings => settings with { Origins = [_origin.Address, second.Address] });
        var requests = Enumerable.Range(0, 10).Select(_ => GetAsync(proxy, "/")).ToArray();
        await UntilSubscribersAsync(proxy, 10);
        await Patience.UntilAsync(() => _origin.Requests + second.Requests > 0, "a request has arrived");
        await (await (_origin.Requests > 0 ? _origin : second).NextAsync()).RespondAsync("one of them");
        foreach (var request in requests) Assert.Equal("one of them", await (await request.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal(1, _origin.Requests + second.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_origin_that_hangs_is_504(bool alone)
    {
        var proxy = await StartAsync(static settings => settings with { Timeout = TimeSpan.FromMilliseconds(100) });
        var response = await GetAsync(proxy, "/", alone ? [("Cookie", "a=1")] : []).SoonAsync();
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        await (await _origin.NextAsync()).Aborted.SoonAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_origin_that_breaks_before_its_headers_is_502(bool alone)
    {
        var proxy = await StartAsync();
        var request = GetAsync(proxy, "/", alone ? [("Cookie", "a=1")] : []);
        (await _origin.NextAsync()).Abort();
        Assert.Equal(HttpStatusCode.BadGateway, (await request.SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task An_origin_that_refuses_is_502()
    {
        var proxy = await StartAsync(static settings => settings with { Origins = [new Uri($"http://127.0.0.1:{FreePort()}")] });
        Assert.Equal(HttpStatusCode.BadGateway, (await GetAsync(proxy, "/").SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task An_origin_that_breaks_within_the_body_breaks_each_response()
    {
        var proxy = await StartAsync();
        var requests = new[] { GetAsync(proxy, "/"), GetAsync(proxy, "/") };
        var exchange = await _origin.NextAsync();
        await UntilSubscribersAsync(proxy, 2);
        await exchange.BeginAsync();
        await exchange.WriteAsync("half");
        foreach (var request in requests) await request.SoonAsync();
        exchange.Abort();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<Exception>(async () => await (await request).Content.ReadAsStringAsync().SoonAsync());
    }

    [Fact]
    public async Task The_leader_leaves_and_the_others_get_the_response_and_all_leave_and_the_origin_is_told()
    {
        var proxy = await StartAsync();
        using var leaving = new CancellationTokenSource();
        var leader = SendAsync(proxy, "/", leaving.Token);
        var exchange = await _origin.NextAsync();
        var other = GetAsync(proxy, "/");
        await UntilSubscribersAsync(proxy, 2);
        await leaving.CancelAsync();
        await UntilSubscribersAsync(proxy, 1);
        await exchange.RespondAsync("still");
        Assert.Equal("still", await (await other.SoonAsync()).Content.ReadAsStringAsync());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);

        using var allLeaving = new CancellationTokenSource();
        var last = SendAsync(proxy, "/last", allLeaving.Token);
        exchange = await _origin.NextAsync();
        await allLeaving.CancelAsync();
        await exchange.Aborted.SoonAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => last);
        exchange.End();
    }

    [Fact]
    public async Task Operators_have_an_address_of_their_own()
    {
        var proxy = await StartAsync(static settings => settings with { Admin = new Uri("http://127.0.0.1:0") });
        var response = GetAsync(proxy, "/");
        await (await _origin.NextAsync()).RespondAsync("");
        await response.SoonAsync();
        Assert.Equal("Healthy", await _client.GetStringAsync(new Uri(proxy.Admin!, "/health")));
        Assert.Contains("\"proxy\"", await _client.GetStringAsync(new Uri(proxy.Admin!, "/metrics/singleflight")), StringComparison.Ordinal);
        var metrics = await _client.GetStringAsync(new Uri(proxy.Admin!, "/metrics"));
        foreach (var name in new[] { "singleflight_in_flight", "singleflight_http_bodies", "singleflight_http_buffered_bytes", "singleflight_http_rejected_total", "kestrel_active_connections" }) Assert.Contains($"\n{name}{{", metrics, StringComparison.Ordinal);
        Assert.Contains("<html", await _client.GetStringAsync(proxy.Admin!), StringComparison.Ordinal);

        // The address of the clients does not have them, whatever host they name.
        var health = GetAsync(proxy, "/health", ("Host", proxy.Admin!.Authority));
        await (await _origin.NextAsync()).RespondAsync("the origin's");
        Assert.Equal("the origin's", await (await health.SoonAsync()).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_live_page_of_the_proxy_shows_its_flights()
    {
        await using var browser = await AspNetCore.Tests.Browser.StartAsync();
        var proxy = await StartAsync(static settings => settings with { Admin = new Uri("http://127.0.0.1:0") });
        var page = await browser.OpenAsync(proxy.Admin!.ToString(), 1200, 800, Microsoft.Playwright.ColorScheme.Light);
        var requests = Enumerable.Range(0, 5).Select(_ => GetAsync(proxy, "/feed")).ToArray();
        var exchange = await _origin.NextAsync();
        var instance = page.Locator("[data-instance=proxy]");
        await Microsoft.Playwright.Assertions.Expect(instance.Locator("[data-table=flights] tbody td").Nth(3)).ToHaveTextAsync("5");
        await exchange.RespondAsync("");
        await Task.WhenAll(requests).SoonAsync();
        await Microsoft.Playwright.Assertions.Expect(instance.Locator("[data-value=ratio]")).ToHaveTextAsync("80.0 %");
    }

    [Fact]
    public async Task A_configuration_file_has_routes_and_policies_and_is_reloaded()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.json");
        try
        {
            await File.WriteAllTextAsync(file, Configuration(_origin.Address, "feed"));
            var proxy = await StartAsync(settings => settings with { Origins = [], Config = file });
            var requests = new[] { GetAsync(proxy, "/feed", ("Authorization", "Bearer 1")), GetAsync(proxy, "/feed", ("Authorization", "Bearer 1")) };
            var exchange = await _origin.NextAsync();
            await Patience.UntilAsync(() => proxy.FlightsOf("proxy-feed").GetStats().TotalSubscribers == 2, "both share");
            await exchange.RespondAsync("shared", 200, ("Cache-Control", "public"));
            foreach (var request in requests) Assert.Equal("shared", await (await request.SoonAsync()).Content.ReadAsStringAsync());

            await using var second = await Origin.StartAsync();
            second.Answer = static context => context.Response.Body.WriteAsync("second"u8.ToArray()).AsTask();
            _origin.Answer = static context => context.Response.Body.WriteAsync("first"u8.ToArray()).AsTask();
            await File.WriteAllTextAsync(file, Configuration(second.Address, "feed"));
            await Patience.UntilAsync(() => _client.GetStringAsync(new Uri(proxy.Addresses[0], "/feed")).GetAwaiter().GetResult() == "second", "the file is reloaded");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Large_bodies_arrive_whole_at_clients_of_all_speeds()
    {
        var proxy = await StartAsync();
        var bytes = new byte[8 * 1024 * 1024];
        new Random(1).NextBytes(bytes);
        var requests = Enumerable.Range(0, 8).Select(_ => GetAsync(proxy, "/large")).ToArray();
        var exchange = await _origin.NextAsync();
        await UntilSubscribersAsync(proxy, 8);
        var writing = Task.Run(async () =>
        {
            await exchange.BeginAsync();
            for (var at = 0; at < bytes.Length; at += 64 * 1024) await exchange.WriteAsync(bytes[at..(at + (64 * 1024))]);
            exchange.End();
        });
        await Task.WhenAll(requests.Select(async (request, number) =>
        {
            await using var body = await (await request.SoonAsync()).Content.ReadAsStreamAsync();
            var (buffer, all) = (new byte[1 + (number * 9_999)], new MemoryStream());
            for (var count = -1; count != 0; all.Write(buffer, 0, count)) count = await body.ReadAsync(buffer);
            Assert.Equal(bytes, all.ToArray());
        })).SoonAsync();
        await writing;
    }

    private static string Configuration(Uri origin, string policy) =>
        $$"""
        {
          "ReverseProxy": {
            "Routes": { "feed": { "ClusterId": "c", "Match": { "Path": "/feed" }, "Metadata": { "RequestCoalescing": "{{policy}}" } } },
            "Clusters": { "c": { "Destinations": { "d": { "Address": "{{origin}}" } } } }
          },
          "Singleflight": { "proxy-feed": { "Http": { "AllowAuthorization": true } } }
        }
        """;

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static Task UntilSubscribersAsync(ProxyApp proxy, int count) => proxy.FlightsOf("proxy").UntilSubscribersAsync(count);

    private async Task<ProxyApp> StartAsync(Func<ProxySettings, ProxySettings>? change = null)
    {
        var settings = new ProxySettings { Listen = [new Uri("http://127.0.0.1:0")], Origins = [_origin.Address] };
        var proxy = await ProxyApp.StartAsync(change?.Invoke(settings) ?? settings, default);
        _proxies.Add(proxy);
        return proxy;
    }

    private Task<HttpResponseMessage> GetAsync(ProxyApp proxy, string path, params (string Name, string Value)[] headers) => SendAsync(proxy, path, default, headers);

    private Task<HttpResponseMessage> SendAsync(ProxyApp proxy, string path, CancellationToken token, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Addresses[0], path));
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
    }
}
