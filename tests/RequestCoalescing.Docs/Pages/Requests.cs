using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.AspNetCore;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/http.md on the middleware.</summary>
internal static class Requests
{
    public static void Run(WebApplicationBuilder builder)
    {
        // <snippet requests-app>
        builder.Services.AddRequestCoalescing(requests => requests
            .AddPolicy("feed", policy => policy.VaryByHeader("X-Tenant").IgnoreCookies()));
        var app = builder.Build();

        app.UseAuthentication();
        app.UseAuthorization();              // each caller is authorized on its own,
        app.UseRequestCoalescing();          // and then joins
        app.UseResponseCompression();        // runs once for all of them

        app.MapGet("/feed", (FeedService feed, CancellationToken token) => feed.LoadAsync(token)).WithRequestCoalescing("feed");
        app.MapGroup("/reports").WithRequestCoalescing();
        // </snippet>
    }

    // <snippet requests-example>
    public static void Configure(WebApplicationBuilder builder)
    {
        builder.Services.AddRequestCoalescing(requests => requests.AddPolicy("feed", policy => policy.VaryByHeader("X-Tenant")));
        var app = builder.Build();
        app.UseRequestCoalescing(); // after authentication and authorization
        app.MapGet("/feed", (FeedService feed, CancellationToken cancellationToken) => feed.LoadAsync(cancellationToken)).WithRequestCoalescing("feed");
    }

    // </snippet>

    [CoalesceRequests("feed")]
    public sealed class FeedController(FeedService feed) : ControllerBase
    {
        [HttpGet("/feeds/{id}")]
        public Task<string> GetAsync(string id, CancellationToken token) => feed.LoadAsync(id, token);
    }

    internal sealed class FeedService(string name)
    {
        public Task<string> LoadAsync(CancellationToken token) => LoadAsync("", token);

        public Task<string> LoadAsync(string id, CancellationToken token) => Task.FromResult(name + id);
    }
}
