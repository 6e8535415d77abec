using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Http;

/// <summary>Registers the coalescers of clients and policies.</summary>
internal static class HttpRegistration
{
    /// <summary>Registers the coalescer of an instance, and its settings, under the name of the instance.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="cluster">Lets the instance <c>NAME-cluster</c> use Redis. Null if this is the only node.</param>
    public static void AddTo(ISingleflightBuilder instance, Action<ISingleflightBuilder>? cluster)
    {
        var clusterName = $"{instance.Name}-cluster";
        cluster?.Invoke(instance.Services.AddSingleflight(clusterName));
        instance.BindSettings<HttpCoalescingOptions>("Http", static (section, options) => section.Bind(options), static options => options.Validate());
        instance.Services.AddMetrics();
        instance.Services.TryAddSingleton<HttpMetrics>();
        instance.Services.AddKeyedSingleton(instance.Name, (services, key) =>
        {
            var name = (string)key!;
            var coalescer = new HttpCoalescer(
                services.GetRequiredKeyedService<ISingleflight>(name),
                services.GetRequiredService<IOptionsFactory<HttpCoalescingOptions>>().Create(name),
                services.GetRequiredService<IOptionsFactory<SingleflightOptions>>().Create(name).TimeProvider,
                name,
                OverflowOf(services.GetServices<SingleflightInstance>().FirstOrDefault(instance => instance.Name == name)),
                cluster is null ? null : services.GetRequiredKeyedService<ISingleflight>(clusterName));
            services.GetRequiredService<HttpMetrics>().Add(name, coalescer);
            return coalescer;
        });
    }

    private static Func<OverflowBehavior>? OverflowOf(SingleflightInstance? instance) => instance is null ? null : () => instance.GetSettings().Overflow;
}
