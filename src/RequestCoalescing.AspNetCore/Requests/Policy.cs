using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Http;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Makes the key of a request by one policy.</summary>
internal sealed class Policy(string name, string instance, RequestCoalescingPolicyBuilder rules, HttpCoalescer coalescer)
{
    private static readonly ConditionalWeakTable<Endpoint, string> s_names = [];

    /// <summary>The reads that were reported, so that each is reported once. Used in Development only.</summary>
    public ConcurrentDictionary<string, bool> Reported { get; } = new(StringComparer.Ordinal);

    public string Name => name.Length == 0 ? "default" : name;

    /// <summary>The name of its instance.</summary>
    public string Instance => instance;

    public HttpCoalescer Coalescer => coalescer;

    public bool VariesByUser => rules.VariesByUser;

    public static Policy Of(IServiceProvider services, string? name, Endpoint endpoint) =>
        services.GetKeyedService<Policy>(name ?? "") ??
        throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' coalesces its requests by the policy '{name}', which does not exist. Add it in AddRequestCoalescing.");

    /// <summary>Whether a header is part of the key.</summary>
    public bool HasHeader(string header) => rules.Headers.Contains(header);

    /// <summary>Describes a request by all of its headers. Null if it cannot be coalesced.</summary>
    public HttpRequestMessage? TryDescribe(HttpContext context)
    {
        var request = context.Request;
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true } || !rules.Conditions.TrueForAll(condition => condition(context))) return null;

        // The parts are not made canonical: what the endpoint could tell apart stays apart.
        var text = $"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}{request.Path.ToUriComponent()}{request.QueryString.ToUriComponent()}";
        if (!Uri.TryCreate(text, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }, out var target)) return null;
        var message = new HttpRequestMessage(HttpMethod.Parse(request.Method), target);
        foreach (var (header, values) in request.Headers)
        {
            if (rules.IgnoresCookies && header.Equals("Cookie", StringComparison.OrdinalIgnoreCase)) continue;
            message.Headers.TryAddWithoutValidation(header, (IEnumerable<string?>)values);
        }

        return message;
    }

    /// <summary>Reads the values that the policy makes part of the key.</summary>
    public IReadOnlyList<(string Name, string? Value)> ReadValues(HttpContext context) => rules.Values.ConvertAll(value => (value.Name, Value: value.Read(context)));

    /// <summary>Returns the parts of the key that the request line and the headers do not show.</summary>
    public static string KeyOf(Endpoint endpoint, Caller caller, IServiceProvider services)
    {
        var text = new KeyText(s_names.GetValue(endpoint, endpoint => NameOf(endpoint, services)));
        caller.AppendTo(text);
        return text.ToString();
    }

    // All nodes of a cluster give an endpoint the same name. If several endpoints would have it, they are kept apart, and nodes too.
    private static string NameOf(Endpoint endpoint, IServiceProvider services)
    {
        var name = Describe(endpoint);
        return services.GetServices<EndpointDataSource>().SelectMany(static source => source.Endpoints).Count(other => Describe(other) == name) <= 1 ? name : $"{name}|{Guid.NewGuid():n}";

        static string Describe(Endpoint endpoint) => endpoint is RouteEndpoint route ? $"{route.DisplayName}|{route.RoutePattern.RawText}|{route.Order}" : $"{endpoint.DisplayName}";
    }
}
