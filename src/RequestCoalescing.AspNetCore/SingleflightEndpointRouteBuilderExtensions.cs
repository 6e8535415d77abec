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

/// <summary>Endpoints that show what the registered instances do. None is there unless it is mapped.</summary>
public static class SingleflightEndpointRouteBuilderExtensions
{
    /// <summary>Maps the statistics of all registered instances, and of the engines that were made by hand, as JSON: what is in the air now, and the totals since the start.</summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route. Default <c>/metrics/singleflight</c>.</param>
    /// <returns>The endpoint's conventions; call <c>RequireAuthorization()</c> on it where not everybody may see them.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered, and no engine has been made by hand.</exception>
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
    /// Maps a page that shows what the registered instances do, and the engines that were made by hand, and goes on showing it: one document with nothing to be loaded from
    /// elsewhere. Keys are redacted as in logs. While it is mapped and the application runs, the instances are looked at once a second, so that
    /// the page has their last ten minutes when it is opened.
    /// </summary>
    /// <param name="endpoints">The routes.</param>
    /// <param name="pattern">The route of the page; its data is at <c>data</c> below it. Default <c>/singleflight</c>.</param>
    /// <returns>The endpoints' conventions; call <c>RequireAuthorization()</c> on it where not everybody may see them.</returns>
    /// <exception cref="InvalidOperationException">No instance is registered, and no engine has been made by hand.</exception>
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

    // An application that is built and never run gets no timer.
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

    // Engines that are made by hand come and go.
    private static Func<IEnumerable<SingleflightInstance>> InstancesOf(IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        SingleflightInstance[] instances = [.. endpoints.ServiceProvider.GetServices<SingleflightInstance>()];
        return instances.Length > 0 || SingleflightInstance.GetUnregistered().Count > 0
            ? () => instances.Concat(SingleflightInstance.GetUnregistered())
            : throw new InvalidOperationException("There is nothing to show: register an instance with services.AddSingleflight(), or make an engine before its page is mapped.");
    }
}
