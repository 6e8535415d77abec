using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using RequestCoalescing.AspNetCore;
using RequestCoalescing.AspNetCore.Requests;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Coalesces the requests of an application.</summary>
public static class RequestCoalescingServiceCollectionExtensions
{
    /// <summary>
    /// Lets endpoints share one run among equal requests that are in the air at once. Endpoints opt in by <c>WithRequestCoalescing</c> or
    /// <see cref="CoalesceRequestsAttribute"/>. Add the middleware by <c>app.UseRequestCoalescing()</c>.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Adds policies.</param>
    /// <returns>The services.</returns>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    /// <example>
    /// <code>
    /// public static void Configure(WebApplicationBuilder builder)
    /// {
    ///     builder.Services.AddRequestCoalescing(requests => requests.AddPolicy("feed", policy => policy.VaryByHeader("X-Tenant")));
    ///     var app = builder.Build();
    ///     app.UseRequestCoalescing(); // after authentication and authorization
    ///     app.MapGet("/feed", (FeedService feed, CancellationToken cancellationToken) => feed.LoadAsync(cancellationToken)).WithRequestCoalescing("feed");
    /// }
    /// </code>
    /// </example>
    public static IServiceCollection AddRequestCoalescing(this IServiceCollection services, Action<RequestCoalescingBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(static service => service.ServiceType == typeof(Pipelines))) throw new InvalidOperationException("The requests are coalesced already. Call AddRequestCoalescing once.");
        services.AddSingleton<Pipelines>();
        services.AddSingleton<IStartupFilter>(static provider => provider.GetRequiredService<Pipelines>());
        services.AddSingleton<IHostedService, EndpointCheck>();
        var builder = new RequestCoalescingBuilder(services);
        configure?.Invoke(builder);
        builder.AddDefaultPolicyIfMissing();
        return services;
    }
}
