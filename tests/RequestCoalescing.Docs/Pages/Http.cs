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
}
