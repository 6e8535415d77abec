using RequestCoalescing.Yarp;
using Yarp.ReverseProxy.Forwarder;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Coalesces the requests that a reverse proxy forwards.</summary>
public static class RequestCoalescingReverseProxyBuilderExtensions
{
    /// <summary>
    /// Lets equal requests of a route that are in the air at once share one request to the destination. A route opts in by its metadata:
    /// <c>"RequestCoalescing": "default"</c>, or the name of a policy. Call it after <c>ConfigureHttpClient</c>, if you do.
    /// </summary>
    /// <param name="builder">The proxy.</param>
    /// <param name="configure">Adds policies.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddReverseProxy()
    ///     .LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"))
    ///     .AddRequestCoalescing();
    /// </code>
    /// </example>
    public static IReverseProxyBuilder AddRequestCoalescing(this IReverseProxyBuilder builder, Action<ProxyCoalescingBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (builder.Services.Any(static service => service.ImplementationType == typeof(RouteOptIn))) throw new InvalidOperationException("The proxy coalesces already. Call AddRequestCoalescing once.");
        builder.AddTransforms<RouteOptIn>();
        var policies = new ProxyCoalescingBuilder(builder.Services);
        configure?.Invoke(policies);
        policies.AddDefaultPolicyIfMissing();
        Decorate(builder.Services);
        return builder;
    }

    private static void Decorate(IServiceCollection services)
    {
        var inner = services.Last(static service => service.ServiceType == typeof(IForwarderHttpClientFactory) && !service.IsKeyedService);
        services.Remove(inner);
        services.AddSingleton<IForwarderHttpClientFactory>(provider => new CoalescingClientFactory((IForwarderHttpClientFactory)(
            inner.ImplementationInstance ??
            inner.ImplementationFactory?.Invoke(provider) ??
            ActivatorUtilities.CreateInstance(provider, inner.ImplementationType!))));
    }
}
