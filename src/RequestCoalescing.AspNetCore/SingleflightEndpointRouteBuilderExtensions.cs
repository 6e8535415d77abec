using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing;
using RequestCoalescing.AspNetCore;
using RequestCoalescing.AspNetCore.Dashboard;
using RequestCoalescing.AspNetCore.Stats;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Endpoints that show what the registered instances do. None is there unless it is mapped.</summary>
public static class SingleflightEndpointRouteBuilderExtensions
{
    /// <summary>Maps the statistics of all registered instances, as JSON: what is in the air now, and the totals since the start.</summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route. Default <c>/metrics/singleflight</c>.</param>
    /// <returns>The endpoint's conventions; call <c>RequireAuthorization()</c> on it where not everybody may see them.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered.</exception>
    public static IEndpointConventionBuilder MapSingleflightStats(this IEndpointRouteBuilder endpoints, string pattern = "/metrics/singleflight")
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        var instances = InstancesOf(endpoints);
        return endpoints
            .MapGet(pattern, Task (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return context.Response.WriteAsJsonAsync(StatsDocument.Of(instances), Json.Default.StatsDocument, contentType: null, context.RequestAborted);
            })
            .WithDisplayName("Singleflight statistics")
            .ExcludeFromDescription();
    }

    /// <summary>
    /// Maps a page that shows what the registered instances do, and goes on showing it: one document with nothing to be loaded from
    /// elsewhere. Keys are redacted as in logs.
    /// </summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route of the page; its data is at <c>data</c> below it. Default <c>/singleflight</c>.</param>
    /// <returns>The endpoints' conventions; call <c>RequireAuthorization()</c> on it where not everybody may see them.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered.</exception>
    public static IEndpointConventionBuilder MapSingleflightDashboard(this IEndpointRouteBuilder endpoints, string pattern = "/singleflight")
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        var instances = InstancesOf(endpoints);
        var group = endpoints.MapGroup(pattern);
        group
            .MapGet("", (HttpContext context) => DashboardPage.WriteAsync(context))
            .WithDisplayName("Singleflight dashboard")
            .ExcludeFromDescription();
        group
            .MapGet("/data", Task (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return context.Response.WriteAsJsonAsync(DashboardDocument.Of(instances), Json.Default.DashboardDocument, contentType: null, context.RequestAborted);
            })
            .WithDisplayName("Singleflight dashboard data")
            .ExcludeFromDescription();
        return group;
    }

    private static SingleflightInstance[] InstancesOf(IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        SingleflightInstance[] instances = [.. endpoints.ServiceProvider.GetServices<SingleflightInstance>()];
        return instances.Length > 0 ? instances : throw new InvalidOperationException("There is nothing to show: register an instance with services.AddSingleflight().");
    }
}
