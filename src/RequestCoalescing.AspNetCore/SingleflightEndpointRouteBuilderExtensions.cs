using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RequestCoalescing;
using RequestCoalescing.AspNetCore;
using RequestCoalescing.AspNetCore.Dashboard;
using RequestCoalescing.AspNetCore.Stats;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps endpoints that show the state of all instances. No endpoint exists unless you map it.</summary>
public static class SingleflightEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps the statistics as JSON: the counts of the running flights, and the totals since the start. They cover all registered instances, and
    /// the engines that were created by hand.
    /// </summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route. Default <c>/metrics/singleflight</c>.</param>
    /// <returns>The endpoint's conventions. Call <c>RequireAuthorization()</c> on them to restrict access.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered, and no engine has been created by hand.</exception>
    public static IEndpointConventionBuilder MapSingleflightStats(this IEndpointRouteBuilder endpoints, string pattern = "/metrics/singleflight")
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        var instances = InstancesOf(endpoints);
        return endpoints
            .MapGet(pattern, Task (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return context.Response.WriteAsJsonAsync(StatsDocument.Of(instances()), Json.Default.StatsDocument, contentType: null, context.RequestAborted);
            })
            .WithDisplayName("Singleflight statistics")
            .ExcludeFromDescription();
    }

    /// <summary>
    /// Maps the live page. It shows all registered instances, and the engines that were created by hand, and updates itself. It is one document and
    /// loads nothing from other servers. Keys are redacted as in logs. While the page is mapped and the application runs, the instances are read
    /// once a second, so that the page has their last ten minutes when it is opened.
    /// </summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route of the page. Its data is served at <c>data</c> below it. Default <c>/singleflight</c>.</param>
    /// <returns>The conventions of both endpoints. Call <c>RequireAuthorization()</c> on them to restrict access.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered, and no engine has been created by hand.</exception>
    /// <example>
    /// <code>
    /// app.MapSingleflightDashboard("/internal/singleflight").RequireAuthorization();
    /// </code>
    /// </example>
    public static IEndpointConventionBuilder MapSingleflightDashboard(this IEndpointRouteBuilder endpoints, string pattern = "/singleflight")
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        var instances = InstancesOf(endpoints);
        var clock = endpoints.ServiceProvider.GetService<TimeProvider>() ?? TimeProvider.System;
        var history = new SingleflightHistory(instances, clock);
        var process = DashboardProcess.Of(endpoints.ServiceProvider);
        KeepWhileRunning(history, endpoints.ServiceProvider.GetService<IHostApplicationLifetime>());
        var group = endpoints.MapGroup(pattern);
        group
            .MapGet("", (HttpContext context) => DashboardPage.WriteAsync(context))
            .WithDisplayName("Singleflight dashboard")
            .ExcludeFromDescription();
        group
            .MapGet("/data", Task (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                _ = long.TryParse(context.Request.Query["after"], NumberStyles.None, CultureInfo.InvariantCulture, out var after);
                return context.Response.WriteAsJsonAsync(DashboardDocument.Of(process, instances(), history, clock, after), Json.Default.DashboardDocument, contentType: null, context.RequestAborted);
            })
            .WithDisplayName("Singleflight dashboard data")
            .ExcludeFromDescription();
        return group;
    }

    // An application that is built but never runs gets no timer.
    private static void KeepWhileRunning(SingleflightHistory history, IHostApplicationLifetime? lifetime)
    {
        if (lifetime is null)
        {
            history.Start();
            return;
        }

        lifetime.ApplicationStarted.Register(history.Start);
        lifetime.ApplicationStopping.Register(history.Dispose);
    }

    // The list is read again for each request, because engines that are created by hand come and go.
    private static Func<IEnumerable<SingleflightInstance>> InstancesOf(IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        SingleflightInstance[] instances = [.. endpoints.ServiceProvider.GetServices<SingleflightInstance>()];
        return instances.Length > 0 || SingleflightInstance.GetUnregistered().Count > 0
            ? () => instances.Concat(SingleflightInstance.GetUnregistered())
            : throw new InvalidOperationException("No instance exists. Call services.AddSingleflight(), or create an engine before you map this endpoint.");
    }
}
