using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Docs.Pages;

/// <summary>A builder as pages have it, for an app that listens where the test finds it.</summary>
internal static class Loopback
{
    public static WebApplicationBuilder CreateBuilder()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        return builder;
    }

    public static HttpClient CreateClient(this WebApplication app) => new() { BaseAddress = new Uri(app.Urls.First()) };
}
