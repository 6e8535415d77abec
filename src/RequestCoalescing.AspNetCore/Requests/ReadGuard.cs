using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>In Development, reports that an endpoint reads something of a request that is not part of the key.</summary>
internal sealed class ReadGuard(Policy policy, Endpoint endpoint, ILogger logger)
{
    // Those that the rules deal with, and those that say nothing of the caller.
    private static readonly HashSet<string> s_harmless = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Accept-Charset", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Range", "If-Range", "If-Match", "If-None-Match",
        "If-Modified-Since", "If-Unmodified-Since", "Cache-Control", "Pragma", "traceparent", "tracestate", "baggage", "Request-Id", "Correlation-Context",
    };

    private volatile bool _isWatching;

    /// <summary>Returns the endpoint, which is watched while it runs. Middleware before it may read what it likes.</summary>
    public Endpoint Watch()
    {
        return endpoint is RouteEndpoint route
            ? new RouteEndpoint(RunAsync, route.RoutePattern, route.Order, route.Metadata, route.DisplayName)
            : new Endpoint(RunAsync, endpoint.Metadata, endpoint.DisplayName);

        async Task RunAsync(HttpContext context)
        {
            _isWatching = true;
            await endpoint.RequestDelegate!(context).ConfigureAwait(false);
            _isWatching = false;
        }
    }

    public void ReadHeader(string name)
    {
        if (s_harmless.Contains(name) || policy.HasHeader(name)) return;
        Report($"the request header '{name}'", name.ToUpperInvariant() switch
        {
            "COOKIE" => "VaryByCookies()",
            "AUTHORIZATION" => "VaryByAuthorization()",
            _ => $"VaryByHeader(\"{name}\")",
        });
    }

    public void ReadUser()
    {
        if (!policy.VariesByUser) Report("HttpContext.User", "VaryByUser()");
    }

    public void ReadConnection() => Report("the address of the connection", "VaryByValue(\"address\", context => context.Connection.RemoteIpAddress?.ToString())");

    private void Report(string what, string missing)
    {
        if (_isWatching && policy.Reported.TryAdd($"{endpoint.DisplayName}|{missing}", true)) Log.ReadOutsideKey(logger, endpoint.DisplayName, what, policy.Name, missing);
    }
}
