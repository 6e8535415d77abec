using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.AspNetCore.Requests;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Adds the middleware that coalesces requests.</summary>
public static class RequestCoalescingApplicationBuilderExtensions
{
    /// <summary>
    /// Coalesces the requests of the endpoints that have opted in. Add it after routing, authentication and authorization: each caller is authorized on its
    /// own, and then joins. Middleware that is added after it runs once for all of them.
    /// </summary>
    /// <param name="app">The application.</param>
    /// <returns>The application.</returns>
    /// <exception cref="InvalidOperationException"><c>AddRequestCoalescing</c> was not called.</exception>
    public static IApplicationBuilder UseRequestCoalescing(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var pipelines = app.ApplicationServices.GetService<Pipelines>() ?? throw new InvalidOperationException("Call services.AddRequestCoalescing() before app.UseRequestCoalescing().");
        pipelines.Use(app.Properties);
        return app.UseMiddleware<RequestCoalescingMiddleware>();
    }
}
