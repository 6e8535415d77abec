using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
// <snippet getting-started-using>
using RequestCoalescing; // at the top of Program.cs
// </snippet>

namespace RequestCoalescing.Docs.Pages;

/// <summary>The code of docs/getting-started.md. <see cref="Readme"/> runs the same calls, without the slow query.</summary>
internal static class GettingStarted
{
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        // <snippet getting-started-register>
        builder.Services.AddSingleflight();
        // </snippet>

        var app = builder.Build();

        // <snippet getting-started-call>
        app.MapGet("/report/{month}", async (string month, ISingleflight singleflight, CancellationToken cancellationToken) =>
            await singleflight.ExecuteAsync(
                $"report:{month}",
                async flight =>
                {
                    await Task.Delay(TimeSpan.FromSeconds(2), flight); // in place of a slow query
                    return $"Report for {month}, generated at {DateTime.UtcNow:O}";
                },
                cancellationToken));
        // </snippet>

        // <snippet getting-started-page>
        app.MapSingleflightDashboard("/singleflight");
        // </snippet>
        return app;
    }
}
