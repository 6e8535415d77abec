using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>In Development, reports that an endpoint reads something of a request that is not part of the key.</summary>
internal sealed class ReadGuard(Policy policy, Endpoint endpoint, ILogger logger)
{
    // Those that the rules deal with, and those that say nothing of the caller.
    private static readonly HashSet<string> s_harmless = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Range", "If-Range", "If-Match", "If-None-Match",
        "If-Modified-Since", "If-Unmodified-Since", "Cache-Control", "Pragma", "traceparent", "tracestate", "baggage", "Request-Id", "Correlation-Context",
    };

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
        if (policy.Reported.TryAdd($"{endpoint.DisplayName}|{missing}", true)) Log.ReadOutsideKey(logger, endpoint.DisplayName, what, policy.Name, missing);
    }
}
