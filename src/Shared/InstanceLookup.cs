using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Shared;

/// <summary>Finds the instance of a builder among the services. It is registered under its name, or by the type of its keys alone.</summary>
internal static class InstanceLookup
{
    public static bool IsKeyed<TKey>(this ISingleflightBuilder builder)
        where TKey : notnull =>
        builder.Services.Any(service => service.IsKeyedService && service.ServiceType == typeof(ISingleflight<TKey>) && Equals(service.ServiceKey, builder.Name));

    public static ISingleflight<TKey> Find<TKey>(this ISingleflightBuilder builder, IServiceProvider services)
        where TKey : notnull =>
        builder.IsKeyed<TKey>() ? services.GetRequiredKeyedService<ISingleflight<TKey>>(builder.Name) : services.GetRequiredService<ISingleflight<TKey>>();

    /// <summary>Returns null if the instance does not coalesce across processes.</summary>
    public static IClusterSingleflight<TKey>? FindCluster<TKey>(this ISingleflightBuilder builder, IServiceProvider services)
        where TKey : notnull =>
        builder.IsKeyed<TKey>() ? services.GetKeyedService<IClusterSingleflight<TKey>>(builder.Name) : services.GetService<IClusterSingleflight<TKey>>();
}
