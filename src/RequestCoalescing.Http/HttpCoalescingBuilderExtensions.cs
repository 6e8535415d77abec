using RequestCoalescing;
using RequestCoalescing.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Coalesces the requests of a client.</summary>
public static class HttpCoalescingBuilderExtensions
{
    /// <summary>
    /// Lets equal requests of this client that are in the air at once share one. The instance is registered as <c>http-NAME</c> for the client NAME, and as <c>http</c>
    /// for the client without a name. Its settings are in <c>Singleflight:http-NAME</c>.
    /// </summary>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight:http-NAME:Http</c> override them.</param>
    /// <param name="singleflight">Adds to the instance, for example limits. Do not let it use Redis: a response that is streamed cannot leave the process.</param>
    /// <param name="cluster">
    /// Lets the nodes of a cluster share requests, for example by <c>UseRedis</c>: its instance is <c>http-NAME-cluster</c>. Responses cross when their body has arrived.
    /// Null if each node sends for itself.
    /// </param>
    /// <returns>The builder.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddHttpClient("github", client => client.BaseAddress = new Uri("https://api.github.com"))
    ///     .AddRequestCoalescing();
    /// </code>
    /// </example>
    public static IHttpClientBuilder AddRequestCoalescing(
        this IHttpClientBuilder builder,
        Action<HttpCoalescingOptions>? configure = null,
        Action<ISingleflightBuilder>? singleflight = null,
        Action<ISingleflightBuilder>? cluster = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var name = string.IsNullOrEmpty(builder.Name) ? "http" : $"http-{builder.Name.Replace(':', '-')}";
        var isFirst = !builder.Services.Any(service => service.IsKeyedService && service.ServiceType == typeof(HttpCoalescer) && Equals(service.ServiceKey, name));
        if (!isFirst) throw new InvalidOperationException($"The client '{builder.Name}' coalesces its requests already. Call AddRequestCoalescing once for each client.");

        var instance = builder.Services.AddSingleflight(name);
        singleflight?.Invoke(instance);
        if (configure is not null) builder.Services.Configure(name, configure);
        HttpRegistration.AddTo(instance, cluster);
        return builder.AddHttpMessageHandler(services => new CoalescingHandler(services.GetRequiredKeyedService<HttpCoalescer>(name)));
    }
}
