using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Http.Tests;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Nodes that share their requests through Redis: clients of one origin, and applications behind a load balancer.</summary>
public sealed class HttpClusterTests : IAsyncLifetime
{
    private readonly RedisServer _redis = RedisServer.StartGarnet();
    private readonly List<IAsyncDisposable> _nodes = [];
    private Origin _origin = null!;

    public async ValueTask InitializeAsync() => _origin = await Origin.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        await _origin.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task One_node_sends_and_all_get_the_response()
    {
        var clients = new[] { StartClient(), StartClient(), StartClient() };
        var requests = clients.SelectMany(static client => new[] { client.GetAsync("/feed"), client.GetAsync("/feed") }).ToArray();
        var exchange = await _origin.NextAsync();
        await UntilWaitingAsync(2);
        await exchange.RespondAsync("once", 200, ("X-Kind", "feed"), ("Content-Type", "text/plain"), ("Content-Language", "en"));
        foreach (var response in await Task.WhenAll(requests).SoonAsync())
        {
            Assert.Equal(("once", "feed", "text/plain", "en"), (await response.Content.ReadAsStringAsync(), response.Headers.GetValues("X-Kind").Single(), response.Content.Headers.ContentType!.ToString(), response.Content.Headers.ContentLanguage.Single()));
        }

        Assert.Equal(1, _origin.Requests);
    }

    [Theory]
    [InlineData("Cache-Control", "private")]
    [InlineData("Set-Cookie", "a=1")]
    [InlineData("X-Large", "yes")]
    public async Task A_response_that_cannot_cross_stays_with_its_node(string name, string value)
    {
        var clients = new[] { StartClient(), StartClient() };
        var requests = Array.ConvertAll(clients, static client => client.GetAsync("/feed"));
        var exchange = await _origin.NextAsync();
        await UntilWaitingAsync(1);
        var text = new string('x', name == "X-Large" ? 100_000 : 10);
        await exchange.RespondAsync($"1{text}", 200, (name, value));
        await (await _origin.NextAsync()).RespondAsync($"2{text}", 200, (name, value));
        var bodies = await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync()));
        Assert.Equal([$"1{text}", $"2{text}"], bodies.Order());
    }

    [Fact]
    public async Task A_secret_that_differs_keeps_nodes_apart_and_Redis_never_sees_it()
    {
        var clients = new[] { StartClient(), StartClient() };
        clients[0].DefaultRequestHeaders.Add("X-Api-Key", "secret-1");
        clients[1].DefaultRequestHeaders.Add("X-Api-Key", "secret-2");
        var requests = Array.ConvertAll(clients, static client => client.GetAsync("/feed"));
        var exchanges = new[] { await _origin.NextAsync(), await _origin.NextAsync() };
        await using (var redis = await _redis.ConnectAsync())
        {
            var names = redis.GetServer(redis.GetEndPoints()[0]).Keys(pattern: "*lease*").Select(static key => key.ToString()).ToList();
            Assert.Equal(2, names.Count);
            Assert.DoesNotContain(names, static name => name.Contains("secret", StringComparison.Ordinal) || name.Contains("feed", StringComparison.Ordinal));
        }

        foreach (var exchange in exchanges) await exchange.RespondAsync(exchange.Headers["X-Api-Key"]);
        Assert.Equal("secret-1", await (await requests[0].SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal("secret-2", await (await requests[1].SoonAsync()).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_origin_that_fails_fails_once_for_all_nodes()
    {
        var clients = new[] { StartClient(), StartClient() };
        var requests = Array.ConvertAll(clients, static client => client.GetAsync("/feed"));
        var exchange = await _origin.NextAsync();
        await UntilWaitingAsync(1);
        exchange.Abort();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<Exception>(() => request.SoonAsync());
        Assert.Equal(1, _origin.Requests);
    }

    [Fact]
    public async Task An_endpoint_runs_once_in_the_cluster()
    {
        var (runs, mayEnd) = (0, new TaskCompletionSource());
        var apps = new[] { await StartAppAsync(RunAsync), await StartAppAsync(RunAsync) };
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Host = "example.org"; // the clients know the load balancer's name only
        var requests = apps.SelectMany(app => new[] { client.GetStringAsync(new Uri(app, "/report?id=7")), client.GetStringAsync(new Uri(app, "/report?id=7")) }).ToArray();
        await UntilWaitingAsync(1);
        mayEnd.SetResult();
        Assert.Equal(["run 1 of 7", "run 1 of 7", "run 1 of 7", "run 1 of 7"], await Task.WhenAll(requests).SoonAsync());

        async Task<string> RunAsync(string id)
        {
            var run = Interlocked.Increment(ref runs);
            await mayEnd.Task;
            return $"run {run} of {id}";
        }
    }

    private HttpClient StartClient()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddHttpClient("origin", client => client.BaseAddress = _origin.Address)
            .AddRequestCoalescing(static options => options.MaxClusterBodyBytes = 50_000, cluster: Share);
        var node = services.BuildServiceProvider();
        _nodes.Add(node);
        return node.GetRequiredService<IHttpClientFactory>().CreateClient("origin");
    }

    private async Task<Uri> StartAppAsync(Func<string, Task<string>> run)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddRequestCoalescing(requests => requests.AddDefaultPolicy(policy => policy.ShareInCluster(Share)));
        var app = builder.Build();
        _nodes.Add(app);
        app.UseRequestCoalescing();
        app.MapGet("/report", run).WithRequestCoalescing();
        await app.StartAsync();
        return new Uri(app.Urls.Single());
    }

    private void Share(ISingleflightBuilder cluster) =>
        cluster.UseRedis(_redis.ConnectionString, static options => (options.KeyPrefix, options.LeaseDuration) = ("http", TimeSpan.FromMinutes(1))); // longer than any pause of a busy machine

    // Until the flights of so many nodes wait for another one.
    private async Task UntilWaitingAsync(int nodes)
    {
        await using var redis = await _redis.ConnectAsync();
        var server = redis.GetServer(redis.GetEndPoints()[0]);
        await Patience.UntilAsync(() => server.Keys(pattern: "*waiting").Sum(key => redis.GetDatabase().SetLength(key)) == nodes, $"{nodes} nodes wait");
    }
}
