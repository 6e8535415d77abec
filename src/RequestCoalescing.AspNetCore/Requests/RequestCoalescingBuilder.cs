using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.AspNetCore.Requests;
using RequestCoalescing.Http;

namespace RequestCoalescing.AspNetCore;

/// <summary>The policies by which an application coalesces its requests.</summary>
public sealed class RequestCoalescingBuilder
{
    private const string DefaultName = "";

    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly IServiceCollection _services;

    internal RequestCoalescingBuilder(IServiceCollection services)
    {
        _services = services;
    }

    /// <summary>Sets the default policy. Without this call, it has no parts of the key beyond those of the request line and <c>Accept</c>.</summary>
    /// <param name="configure">Sets the policy.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">The default policy is set already.</exception>
    public RequestCoalescingBuilder AddDefaultPolicy(Action<RequestCoalescingPolicyBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Add(DefaultName, configure);
    }

    /// <summary>Adds a policy. Its instance is registered as <c>requests-NAME</c>, and its settings are in <c>Singleflight:requests-NAME</c>.</summary>
    /// <param name="name">The name, by which endpoints choose it.</param>
    /// <param name="configure">Sets the policy.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">The name is empty, has a colon, or there is a policy with it.</exception>
    public RequestCoalescingBuilder AddPolicy(string name, Action<RequestCoalescingPolicyBuilder> configure)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(configure);
        if (name.Contains(':', StringComparison.Ordinal)) throw new ArgumentException("The name of a policy must not contain a colon, because it is part of a configuration key.", nameof(name));
        return Add(name, configure);
    }

    internal void AddDefaultPolicyIfMissing()
    {
        if (!_names.Contains(DefaultName)) Add(DefaultName, static _ => { });
    }

    private RequestCoalescingBuilder Add(string name, Action<RequestCoalescingPolicyBuilder> configure)
    {
        if (!_names.Add(name)) throw new ArgumentException(name.Length == 0 ? "The default policy is set already." : $"There is a policy '{name}' already.", nameof(name));
        var policy = new RequestCoalescingPolicyBuilder();
        configure(policy);
        var instanceName = name.Length == 0 ? "requests" : $"requests-{name}";
        var instance = _services.AddSingleflight(instanceName);
        foreach (var configureInstance in policy.Instances) configureInstance(instance);
        foreach (var configureHttp in policy.Limits) _services.Configure(instanceName, configureHttp);
        HttpRegistration.AddTo(instance, policy.Cluster);
        _services.PostConfigure<HttpCoalescingOptions>(instanceName, options =>
        {
            options.KeyHeaders = new HashSet<string>(policy.Headers, StringComparer.OrdinalIgnoreCase);
            options.SendsUserAgent = false;
            options.AllowAuthorization = policy.Headers.Contains("Authorization");
            options.AllowCookies = policy.Headers.Contains("Cookie");
        });
        _services.AddKeyedSingleton(name, (services, _) => new Policy(name, instanceName, policy, services.GetRequiredKeyedService<HttpCoalescer>(instanceName)));
        return this;
    }
}
