using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Telemetry;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers instances.</summary>
/// <remarks>
/// Settings bind from the section <c>Singleflight</c> for the instance without a name and <c>Singleflight:name</c> for the others,
/// where a configuration is registered; they override what code sets, and limits, durations and the rollout follow reloads.
/// Registering a name again adds to the instance.
/// </remarks>
public static class SingleflightServiceCollectionExtensions
{
    /// <summary>Registers the instance without a name, as <see cref="ISingleflight"/> and <see cref="ISingleflight{TKey}"/> of strings.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the application's defaults.</param>
    /// <returns>A builder for what is to be added to the instance.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight(options => options.MaxDuration = TimeSpan.FromSeconds(5));
    ///
    /// app.MapGet("/time/{zone}", (string zone, ISingleflight singleflight, CancellationToken cancellationToken) =>
    ///     singleflight.ExecuteAsync(zone, flight => TimeOfAsync(zone, flight), cancellationToken));
    /// </code>
    /// </example>
    public static ISingleflightBuilder AddSingleflight(this IServiceCollection services, Action<SingleflightOptions>? configure = null) =>
        Add<string>(services, Options.Options.DefaultName, Registration.DefaultName, configure);

    /// <summary>Registers an instance as a keyed service, <c>[FromKeyedServices("name")] ISingleflight</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">
    /// The key of the service, the name of the options, the section of the settings and the tag on everything measured. Not empty,
    /// without a colon, and none of <c>default</c>, <c>Rollout</c>, <c>Verification</c>, <c>Telemetry</c>, <c>Redis</c>.
    /// </param>
    /// <param name="configure">Sets the application's defaults.</param>
    /// <returns>A builder for what is to be added to the instance.</returns>
    /// <exception cref="ArgumentException">The name is not allowed, or an instance with keys of another type has it.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("weather", options => options.MaxInFlight = 500);
    ///
    /// app.MapGet("/weather/{city}", (string city, [FromKeyedServices("weather")] ISingleflight weather, CancellationToken cancellationToken) =>
    ///     weather.ExecuteAsync(city, flight => ForecastOfAsync(city, flight), cancellationToken));
    /// </code>
    /// </example>
    public static ISingleflightBuilder AddSingleflight(this IServiceCollection services, string name, Action<SingleflightOptions>? configure = null) =>
        AddSingleflight<string>(services, name, configure);

    /// <summary>
    /// Registers an instance with typed keys, as <see cref="ISingleflight{TKey}"/>. Its name is that of the type, such as
    /// <c>PostKey</c>, <c>Int64</c> or, for a tuple, <c>(String, Int32)</c>; for strings it is the instance without a name.
    /// </summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the application's defaults.</param>
    /// <returns>A builder for what is to be added to the instance.</returns>
    /// <exception cref="ArgumentException">
    /// Another type with the same name is registered already, or the name of the type has another meaning in the settings.
    /// </exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight&lt;PostKey>();    // record struct PostKey(long Id, int Page)
    ///
    /// app.MapGet("/post/{id}/{page}", (long id, int page, ISingleflight&lt;PostKey> posts, CancellationToken cancellationToken) =>
    ///     posts.ExecuteAsync(new PostKey(id, page), flight => PageOfAsync(id, page, flight), cancellationToken));
    /// </code>
    /// </example>
    public static ISingleflightBuilder AddSingleflight<TKey>(this IServiceCollection services, Action<SingleflightOptions>? configure = null)
        where TKey : notnull
    {
        if (typeof(TKey) == typeof(string)) return services.AddSingleflight(configure);
        var name = TypeName.Of(typeof(TKey));
        ThrowIfReserved(name);
        return Add<TKey>(services, name, name, configure, isKeyed: false);
    }

    /// <inheritdoc cref="AddSingleflight(IServiceCollection, string, Action{SingleflightOptions}?)"/>
    /// <summary>Registers an instance with typed keys as a keyed service, <c>[FromKeyedServices("name")] ISingleflight&lt;TKey&gt;</c>.</summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    public static ISingleflightBuilder AddSingleflight<TKey>(this IServiceCollection services, string name, Action<SingleflightOptions>? configure = null)
        where TKey : notnull
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ThrowIfReserved(name);
        return Add<TKey>(services, name, name, configure, isKeyed: true);
    }

    private static void ThrowIfReserved(string name)
    {
        if (!name.Contains(':', StringComparison.Ordinal) &&
            !new[] { Registration.DefaultName, "Rollout", "Verification", "Telemetry", "Redis" }.Contains(name, StringComparer.OrdinalIgnoreCase)) return;
        throw new ArgumentException(
            $"'{name}' cannot be the name of an instance. A name must not contain a colon, and must not be default, Rollout, Verification, Telemetry or Redis, which have another meaning in the settings. Register the instance under another name.",
            nameof(name));
    }

    private static SingleflightBuilder Add<TKey>(
        IServiceCollection services,
        string optionsName,
        string name,
        Action<SingleflightOptions>? configure,
        bool isKeyed = false)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(services);
        var registration = services
            .Select(service => service.IsKeyedService ? null : service.ImplementationInstance)
            .OfType<Registration>()
            .FirstOrDefault(known => string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase));
        if (registration is not null && (registration.KeyType != typeof(TKey) || registration.Name != name || registration.IsKeyed != isKeyed))
        {
            throw new ArgumentException(
                $"The name '{name}' is that of an instance with keys of type {registration.KeyType}, registered as '{registration.Name}' {(registration.IsKeyed ? "by that name" : "by the type of its keys")}.",
                nameof(name));
        }

        if (registration is null) services.AddInstance((Registration<TKey>)(registration = new Registration<TKey>(optionsName, name, isKeyed)));
        if (configure is not null) services.Configure(optionsName, configure);
        return new SingleflightBuilder(services, registration);
    }

    private static void AddInstance<TKey>(this IServiceCollection services, Registration<TKey> registration)
        where TKey : notnull
    {
        services.AddOptions();
        services.TryAddSingleton(provider => new SingleflightMetrics(provider.GetService<IMeterFactory>()));
        services.TryAddSingleton<SettingsCheck>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, SingleflightLifetime>());

        services.AddSingleton<Registration>(registration);
        services.AddKeyedSingleton(registration.Name, (provider, _) => new Instance<TKey>(provider, registration));
        services.AddSingleton<SingleflightInstance>(provider => provider.InstanceOf(registration));
        if (registration.IsKeyed)
        {
            services.AddKeyedSingleton(registration.Name, (provider, _) => provider.InstanceOf(registration).Entry);
            if (typeof(TKey) == typeof(string)) services.AddKeyedSingleton(registration.Name, (provider, _) => (ISingleflight)provider.InstanceOf(registration).Entry);
        }
        else
        {
            services.AddSingleton(provider => provider.InstanceOf(registration).Entry);
            if (typeof(TKey) == typeof(string)) services.AddSingleton(provider => (ISingleflight)provider.InstanceOf(registration).Entry);
        }

        var builder = new SingleflightBuilder(services, registration);
        builder.BindSettings<SingleflightOptions>("", static (section, options) => section.Bind(options), options => options.Validate());
        registration.Settings[""].Remove(nameof(SingleflightOptions.Name), nameof(SingleflightOptions.IsReported)); // they apply only to engines that are created by hand
        builder.BindSettings<TelemetryOptions>("Telemetry", static (section, options) => section.Bind(options), options => options.Validate());
        builder.BindSettings<RolloutOptions>("Rollout", static (section, options) => section.Bind(options), registration.Validate);
        builder.BindSettings<VerificationOptions>("Verification", static (section, options) => section.Bind(options), options => options.Validate());
    }

    private static Instance<TKey> InstanceOf<TKey>(this IServiceProvider provider, Registration<TKey> registration)
        where TKey : notnull =>
        provider.GetRequiredKeyedService<Instance<TKey>>(registration.Name);
}
