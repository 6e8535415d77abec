using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RequestCoalescing.Docs.Pages;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-http>
public readonly record struct RepositoryKey(string Owner, string Name);

public sealed record Repository(string Name, int Stars);

public sealed class RepositoryClient(HttpClient http, ISingleflight<RepositoryKey> flights)
{
    public ValueTask<Repository?> GetAsync(RepositoryKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(
            key,
            flight => http.GetFromJsonAsync<Repository>($"repos/{key.Owner}/{key.Name}", flight),
            cancellationToken);
}
// </snippet>

public sealed class HttpClientRecipe
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Many_callers_are_one_request_with_one_result()
    {
        await using var server = await StartAsync();
        using var http = server.CreateClient();
        await using var flights = new Singleflight<RepositoryKey>();
        var client = new RepositoryClient(http, flights);
        var callers = Enumerable.Range(0, 10).Select(_ => client.GetAsync(new RepositoryKey("dotnet", "runtime"), default).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Succeed(17_000);
        var results = await Task.WhenAll(callers).SoonAsync();
        Assert.All(results, result => Assert.Same(results[0], result));
        Assert.Equal(new Repository("runtime", 17_000), results[0]);
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_shared_response_is_unusable_once_one_caller_has_disposed_of_it()
    {
        await using var server = await StartAsync();
        using var http = server.CreateClient();
        await using var flights = new Singleflight();
        var wrong = new WrongRepositoryClient(http, flights);
        var first = wrong.GetAsync("repos/dotnet/runtime", default).AsTask();
        var second = wrong.GetAsync("repos/dotnet/runtime", default).AsTask();
        (await _backend.NextRunAsync()).Succeed(17_000);
        using (await first.SoonAsync())
        {
        }

        var response = await second.SoonAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => response.Content.ReadAsStringAsync());
    }

    private async Task<WebApplication> StartAsync()
    {
        var app = Loopback.CreateBuilder().Build();
        app.MapGet("/repos/{owner}/{name}", async (string owner, string name, HttpContext context) => Results.Json(new Repository(name, await _backend.RunAsync(context.RequestAborted))));
        await app.StartAsync();
        return app;
    }
}

// <snippet cookbook-http-wrong>
public sealed class WrongRepositoryClient(HttpClient http, ISingleflight flights)
{
    public ValueTask<HttpResponseMessage> GetAsync(string path, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(path, flight => http.GetAsync(path, flight), cancellationToken); // wrong: one response for all callers
}
// </snippet>
