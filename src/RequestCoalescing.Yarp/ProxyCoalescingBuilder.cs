using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RequestCoalescing.Http;

namespace RequestCoalescing.Yarp;

/// <summary>The policies by which a proxy coalesces.</summary>
public sealed class ProxyCoalescingBuilder
{
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly IServiceCollection _services;

    internal ProxyCoalescingBuilder(IServiceCollection services)
    {
        _services = services;
    }

    /// <summary>Sets the default policy. Its instance is <c>proxy</c>, and its settings are in <c>Singleflight:proxy</c> and <c>Singleflight:proxy:Http</c>.</summary>
    /// <param name="configure">Sets the options.</param>
    /// <param name="singleflight">Adds to the instance, for example limits.</param>
    /// <param name="cluster">Lets several proxies share requests, for example by <c>UseRedis</c>. Null if each sends for itself.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">The default policy is set already.</exception>
    public ProxyCoalescingBuilder AddDefaultPolicy(Action<HttpCoalescingOptions>? configure = null, Action<ISingleflightBuilder>? singleflight = null, Action<ISingleflightBuilder>? cluster = null) =>
        Add(RouteOptIn.DefaultPolicy, "proxy", configure, singleflight, cluster);

    /// <summary>Adds a policy. Its instance is <c>proxy-NAME</c>, and its settings are in <c>Singleflight:proxy-NAME</c> and <c>Singleflight:proxy-NAME:Http</c>.</summary>
    /// <param name="name">The name, by which routes choose it, in any case.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="singleflight">Adds to the instance, for example limits.</param>
    /// <param name="cluster">Lets several proxies share requests, for example by <c>UseRedis</c>. Null if each sends for itself.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">The name is empty, has a colon, or there is a policy with it.</exception>
    public ProxyCoalescingBuilder AddPolicy(string name, Action<HttpCoalescingOptions>? configure = null, Action<ISingleflightBuilder>? singleflight = null, Action<ISingleflightBuilder>? cluster = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (name.Contains(':', StringComparison.Ordinal)) throw new ArgumentException("The name of a policy must not contain a colon, because it is part of a configuration key.", nameof(name));
        return Add(name, $"proxy-{name}", configure, singleflight, cluster);
    }

    internal void AddDefaultPolicyIfMissing()
    {
        if (!_names.Contains(RouteOptIn.DefaultPolicy)) AddDefaultPolicy();
    }

    private ProxyCoalescingBuilder Add(string name, string instanceName, Action<HttpCoalescingOptions>? configure, Action<ISingleflightBuilder>? singleflight, Action<ISingleflightBuilder>? cluster)
    {
        if (!_names.Add(name)) throw new ArgumentException($"There is a policy '{name}' already.", nameof(name));
        var instance = _services.AddSingleflight(instanceName);
        singleflight?.Invoke(instance);
        if (configure is not null) _services.Configure(instanceName, configure);
        HttpRegistration.AddTo(instance, cluster);
        _services.AddSingleton(services => new ProxyPolicy(
            name,
            services.GetRequiredKeyedService<HttpCoalescer>(instanceName),
            () => services.GetRequiredService<IOptionsMonitor<SingleflightOptions>>().Get(instanceName)));
        return this;
    }
}
