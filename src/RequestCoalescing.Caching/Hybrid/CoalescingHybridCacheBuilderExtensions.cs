using System.Diagnostics.Metrics;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RequestCoalescing;
using RequestCoalescing.Caching;
using RequestCoalescing.Shared;
using RequestCoalescing.Telemetry;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Lets a registered instance coalesce the misses of a cache.</summary>
public static class CoalescingHybridCacheBuilderExtensions
{
    /// <summary>
    /// Puts this instance around the <see cref="HybridCache"/> among the services: that of <c>AddHybridCache</c>, or of FusionCache's
    /// <c>AsHybridCache</c>. Calls of the cache stay as they are. The keys of the flights are the keys of the cache. Use an instance that makes no
    /// other calls.
    /// </summary>
    /// <param name="builder">The instance; its keys are strings.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight[:name]:HybridCache</c> override them.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are not strings.</exception>
    /// <exception cref="InvalidOperationException">The services have no <see cref="HybridCache"/> yet, or an instance is around it already.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddHybridCache();
    /// builder.Services.AddSingleflight("cache").CoalesceHybridCache();
    /// </code>
    /// </example>
    public static ISingleflightBuilder CoalesceHybridCache(this ISingleflightBuilder builder, Action<CoalescingHybridCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var name = builder.Name.Length == 0 ? "default" : builder.Name;
        if (builder.KeyType != typeof(string)) throw new ArgumentException($"The instance '{name}' has keys of type {builder.KeyType}. The keys of a HybridCache are strings.", nameof(builder));
        if (builder.Services.Any(static service => service.ImplementationInstance is Marker)) throw new InvalidOperationException("An instance coalesces the HybridCache already. Call CoalesceHybridCache once.");
        var registered = builder.Services.LastOrDefault(static service => service.ServiceType == typeof(HybridCache) && !service.IsKeyedService) ??
            throw new InvalidOperationException("The services have no HybridCache yet. Call AddHybridCache, or AddFusionCache().AsHybridCache(), before CoalesceHybridCache.");

        // The inner cache becomes a keyed service, so that its container creates and disposes of it as before.
        var inner = new Marker();
        builder.Services.Remove(registered);
        builder.Services.Add(
            registered.ImplementationInstance is { } instance ? new ServiceDescriptor(typeof(HybridCache), inner, instance)
            : registered.ImplementationFactory is { } factory ? new ServiceDescriptor(typeof(HybridCache), inner, (services, _) => factory(services), registered.Lifetime)
            : new ServiceDescriptor(typeof(HybridCache), inner, registered.ImplementationType!, registered.Lifetime));
        builder.Services.AddSingleton(inner);
        builder.Services.AddSingleton<HybridCache>(services =>
        {
            var options = services.GetRequiredService<IOptionsFactory<CoalescingHybridCacheOptions>>().Create(builder.Name);
            var cache = services.GetRequiredKeyedService<HybridCache>(inner);
            return new CoalescingHybridCache(
                cache,
                builder.Find<string>(services),
                builder.FindCluster<string>(services),
                options,
                new CacheMetrics(services.GetService<IMeterFactory>(), name),
                new SafeLogger(services.GetService<ILoggerFactory>()?.CreateLogger(typeof(CoalescingHybridCache).FullName!) ?? NullLogger.Instance),
                services.GetService<TimeProvider>() ?? TimeProvider.System,
                name,
                HasSecondLevel(cache, builder, services));
        });
        if (configure is not null) builder.Services.Configure(builder.Name, configure);
        return builder.BindSettings<CoalescingHybridCacheOptions>("HybridCache", static (section, options) => section.Bind(options), static options => options.Validate());
    }

    // Microsoft's implementation takes any distributed cache that is registered, except one in memory, and may be decorated. FusionCache notifies the first level of
    // other nodes by itself.
    private static bool HasSecondLevel(HybridCache cache, ISingleflightBuilder builder, IServiceProvider services) =>
        cache.GetType().Assembly.GetName().Name != "ZiggyCreatures.FusionCache" &&
        ((services.GetService<IDistributedCache>() is { } second && second.GetType() != typeof(MemoryDistributedCache)) || builder.Services.Any(static service => service.IsKeyedService && service.ServiceType == typeof(IDistributedCache)));

    private sealed class Marker;
}
