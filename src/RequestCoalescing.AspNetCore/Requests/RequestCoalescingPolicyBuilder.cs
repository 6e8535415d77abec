using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Http;

namespace RequestCoalescing.AspNetCore;

/// <summary>
/// A policy: what makes two requests equal. The method, scheme, host, path, query, <c>Accept</c>, <c>Accept-Encoding</c> and <c>Accept-Language</c> always do. The
/// endpoint sees nothing of a request that is not part of the key.
/// </summary>
public sealed class RequestCoalescingPolicyBuilder
{
    // HttpRequestMessage keeps these with the content, and requests that are coalesced have none.
    private static readonly HashSet<string> s_contentHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-MD5", "Content-Range", "Content-Type", "Expires", "Last-Modified",
    };

    internal RequestCoalescingPolicyBuilder()
    {
    }

    internal HashSet<string> Headers { get; } = new(StringComparer.OrdinalIgnoreCase) { "Accept", "Accept-Encoding", "Accept-Language" };

    internal List<(string Name, Func<HttpContext, string?> Read)> Values { get; } = [];

    internal List<Func<HttpContext, bool>> Conditions { get; } = [];

    internal List<Action<HttpCoalescingOptions>> Limits { get; } = [];

    internal List<Action<ISingleflightBuilder>> Instances { get; } = [];

    internal Action<ISingleflightBuilder>? Cluster { get; private set; }

    internal bool IgnoresCookies { get; private set; }

    internal bool VariesByUser { get; private set; }

    /// <summary>Makes headers of the request part of the key, so that the endpoint may read them.</summary>
    /// <param name="names">The names, in any case.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">A name is empty, or that of a header that only requests with content have.</exception>
    public RequestCoalescingPolicyBuilder VaryByHeader(params string[] names)
    {
        ArgumentNullException.ThrowIfNull(names);
        foreach (var name in names)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(name, nameof(names));
            if (s_contentHeaders.Contains(name)) throw new ArgumentException($"'{name}' cannot be part of a key, because only requests with content have it, and these are not coalesced.", nameof(names));
            Headers.Add(name);
        }

        return this;
    }

    /// <summary>Coalesces requests with an <c>Authorization</c> header. Only requests with the same value share a response. Without this call, they run alone.</summary>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder VaryByAuthorization() => VaryByHeader("Authorization");

    /// <summary>Coalesces requests with cookies. Only requests with the same cookies share a response. Without this call, they run alone.</summary>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder VaryByCookies() => VaryByHeader("Cookie");

    /// <summary>Coalesces requests with cookies as if they had none. The endpoint sees no cookie.</summary>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder IgnoreCookies()
    {
        IgnoresCookies = true;
        return this;
    }

    /// <summary>
    /// Makes the caller part of the key: all of its identities and their claims. The endpoint sees a copy of them in <c>HttpContext.User</c>. Without this call, it sees an
    /// anonymous user. Call <see cref="VaryByAuthorization"/> or <see cref="VaryByCookies"/> too if callers send their credentials so.
    /// </summary>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder VaryByUser()
    {
        VariesByUser = true;
        return this;
    }

    /// <summary>Makes a value part of the key, for example the tenant. The endpoint finds it in <c>HttpContext.Items</c> under its name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="read">Reads the value from a caller's context. Its exceptions reach the caller.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ArgumentException">The name is empty, or there is a value with it.</exception>
    public RequestCoalescingPolicyBuilder VaryByValue(string name, Func<HttpContext, string?> read)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(read);
        if (Values.Any(value => value.Name == name)) throw new ArgumentException($"There is a value '{name}' already.", nameof(name));
        Values.Add((name, read));
        return this;
    }

    /// <summary>Chooses the requests that are coalesced, among those that the rules allow. The others run alone.</summary>
    /// <param name="condition">Its exceptions reach the caller.</param>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder When(Func<HttpContext, bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        Conditions.Add(condition);
        return this;
    }

    /// <summary>
    /// Sets limits, for example of the memory for responses. Settings in <c>Singleflight:requests-NAME:Http</c> override them. Options that concern headers,
    /// cookies and authorization have no effect here: the policy decides.
    /// </summary>
    /// <param name="configure">Sets the options.</param>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder Configure(Action<HttpCoalescingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Limits.Add(configure);
        return this;
    }

    /// <summary>Adds to the instance of this policy, for example limits, or a rollout. Do not let it use Redis: a response that is streamed cannot leave the process.</summary>
    /// <param name="configure">Adds to the instance.</param>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder ConfigureSingleflight(Action<ISingleflightBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Instances.Add(configure);
        return this;
    }

    /// <summary>
    /// Lets the nodes of a cluster share runs, for example by <c>UseRedis</c>. Its instance is <c>requests-NAME-cluster</c>. Responses cross when their body has arrived. Use the
    /// same application on all nodes: an endpoint is recognized by its display name, route and order. Endpoints that have these in common are not shared between nodes.
    /// </summary>
    /// <param name="configure">Adds to the instance.</param>
    /// <returns>This object.</returns>
    public RequestCoalescingPolicyBuilder ShareInCluster(Action<ISingleflightBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Cluster = configure;
        return this;
    }
}
