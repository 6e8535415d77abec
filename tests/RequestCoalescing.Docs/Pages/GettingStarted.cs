using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
// <snippet getting-started-using>
using RequestCoalescing; // at the top of Program.cs
// </snippet>

namespace RequestCoalescing.Docs.Pages;

/// <summary>The code of docs/getting-started.md.</summary>
public sealed class GettingStarted
{
    [Fact]
    public async Task A_hundred_requests_share_flights()
    {
        var builder = Loopback.CreateBuilder();

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

        await app.StartAsync();
        using var client = app.CreateClient();
        var reports = Enumerable.Range(0, 100).Select(_ => client.GetStringAsync("/report/may")).ToArray();
        await Task.WhenAll(reports).SoonAsync();
        var stats = app.Services.GetRequiredService<ISingleflight>().GetStats();
        Assert.Equal(100, stats.Calls);
        Assert.InRange(stats.Flights, 1, 99); // 1, unless the machine stalls for seconds
        Assert.Contains("Singleflight", await client.GetStringAsync("/singleflight"), StringComparison.OrdinalIgnoreCase);
        await app.DisposeAsync();
    }
}
