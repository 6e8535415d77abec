using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Docs.Pages;

namespace RequestCoalescing.Docs.Cookbook;

public sealed class HttpErrorsRecipe
{
    [Fact]
    public async Task A_rejection_is_503_and_says_when_to_come_back()
    {
        var builder = Loopback.CreateBuilder();

        // <snippet cookbook-errors>
        builder.Services.AddSingleflight(options => options.MaxInFlight = 500);
        builder.Services.AddSingleflightExceptionHandler(errors => errors
            .Map<ClusterUnavailableException>(StatusCodes.Status503ServiceUnavailable)
            .RetryAfter = TimeSpan.FromSeconds(5));
        var app = builder.Build();

        app.UseExceptionHandler();
        // </snippet>

        app.MapGet("/rejected", string () => throw new FlightRejectedException(FlightRejectionReason.MaxInFlight, 500));
        app.MapGet("/outage", string () => throw new ClusterUnavailableException(null));
        await app.StartAsync();
        using var client = app.CreateClient();
        foreach (var path in new[] { "/rejected", "/outage" })
        {
            using var response = await client.GetAsync(path);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(5), response.Headers.RetryAfter!.Delta);
        }

        await app.DisposeAsync();
    }
}
