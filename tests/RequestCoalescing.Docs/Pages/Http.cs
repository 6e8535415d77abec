using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/http.md and of the package's readme.</summary>
internal static class Http
{
    public static void Register(WebApplicationBuilder builder)
    {
        // <snippet http-client>
        builder.Services.AddHttpClient("github", client => client.BaseAddress = new Uri("https://api.github.com"))
            .AddRequestCoalescing();
        // </snippet>
    }

    public static void RegisterProxy(WebApplicationBuilder builder)
    {
        // <snippet http-yarp>
        builder.Services.AddReverseProxy()
            .LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"))
            .AddRequestCoalescing();
        // </snippet>
    }

    public static void RegisterCluster(WebApplicationBuilder builder)
    {
        // <snippet http-cluster>
        builder.Services.AddHttpClient("github").AddRequestCoalescing(cluster: cluster => cluster.UseRedis("redis:6379"));
        builder.Services.AddRequestCoalescing(requests => requests.AddPolicy("feed", policy => policy.ShareInCluster(cluster => cluster.UseRedis("redis:6379"))));
        // </snippet>
    }
}
