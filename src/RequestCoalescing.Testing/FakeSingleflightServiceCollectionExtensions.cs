using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace RequestCoalescing.Testing;

/// <summary>Replaces registered instances by fakes. The forms match those of <c>AddSingleflight</c>.</summary>
/// <remarks>
/// Call it after the application has registered its services, in <c>ConfigureTestServices</c> for example. A replaced instance stays registered
/// for monitoring, and gets no calls. Settings of the application, rollout, verification and decorators do not apply to the fake.
/// </remarks>
/// <example>
/// <code>
/// var builder = Host.CreateApplicationBuilder();
/// builder.Services.AddSingleflight();                     // the application's own registration
/// var fake = builder.Services.AddFakeSingleflight();      // the test replaces it
/// using var host = builder.Build();
/// Assert.Same(fake, host.Services.GetRequiredService&lt;ISingleflight>());
/// </code>
/// </example>
public static class FakeSingleflightServiceCollectionExtensions
{
    /// <summary>Registers a fake as <see cref="ISingleflight"/> and <see cref="ISingleflight{TKey}"/> of strings, in place of the instance without a name.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options of the fake. Null for the defaults.</param>
    /// <returns>The fake. The service provider disposes it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static FakeSingleflight AddFakeSingleflight(this IServiceCollection services, Action<SingleflightOptions>? configure = null) =>
        (FakeSingleflight)Add<string>(services, null, configure);

    /// <summary>Registers a fake as a keyed service, <c>[FromKeyedServices("name")] ISingleflight</c>, in place of the instance with that name.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The name of the instance. Not empty.</param>
    /// <param name="configure">Sets the options of the fake. Null for the defaults.</param>
    /// <returns>The fake. The service provider disposes it.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static FakeSingleflight AddFakeSingleflight(this IServiceCollection services, string name, Action<SingleflightOptions>? configure = null) =>
        (FakeSingleflight)services.AddFakeSingleflight<string>(name, configure);

    /// <summary>Registers a fake as <see cref="ISingleflight{TKey}"/>, in place of the instance with keys of this type. For strings it is that without a name.</summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options of the fake. Null for the defaults.</param>
    /// <returns>The fake. The service provider disposes it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static FakeSingleflight<TKey> AddFakeSingleflight<TKey>(this IServiceCollection services, Action<SingleflightOptions>? configure = null)
        where TKey : notnull => Add<TKey>(services, null, configure);

    /// <summary>Registers a fake as a keyed service, <c>[FromKeyedServices("name")] ISingleflight&lt;TKey&gt;</c>, in place of the instance with that name.</summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="name">The name of the instance. Not empty.</param>
    /// <param name="configure">Sets the options of the fake. Null for the defaults.</param>
    /// <returns>The fake. The service provider disposes it.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static FakeSingleflight<TKey> AddFakeSingleflight<TKey>(this IServiceCollection services, string name, Action<SingleflightOptions>? configure = null)
        where TKey : notnull
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return Add<TKey>(services, name, configure);
    }

    private static FakeSingleflight<TKey> Add<TKey>(IServiceCollection services, string? name, Action<SingleflightOptions>? configure)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = new SingleflightOptions { IsReported = false };
        configure?.Invoke(options);
        var fake = typeof(TKey) == typeof(string) ? (FakeSingleflight<TKey>)(object)new FakeSingleflight(options) : new FakeSingleflight<TKey>(options);

        Replace<ISingleflight<TKey>>();
        if (fake is ISingleflight) Replace<ISingleflight>();
        return fake;

        void Replace<TService>()
            where TService : class
        {
            services.RemoveAllKeyed<TService>(name);
            services.AddKeyedSingleton(name, (provider, _) => Create<TService>(provider));
        }

        TService Create<TService>(IServiceProvider provider)
        {
            fake.Scopes ??= provider.GetRequiredService<IServiceScopeFactory>();
            return (TService)(object)fake;
        }
    }
}
