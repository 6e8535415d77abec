using System.Diagnostics;

namespace RequestCoalescing.Http;

/// <summary>The tags that the span of a flight has over HTTP: the server or the route, and never the target.</summary>
internal static class FlightTags
{
    /// <summary>Called by the work of a flight, before it sends the shared request.</summary>
    public static void SetServer(Uri? target)
    {
        if (target is not { IsAbsoluteUri: true } || Current is not { } span) return;
        span.SetTag("server.address", target.Host);
        span.SetTag("server.port", target.Port);
    }

    /// <summary>Called by the work of a flight, before it runs an endpoint.</summary>
    public static void SetRoute(string? route)
    {
        if (route is not null) Current?.SetTag("http.route", route);
    }

    private static Activity? Current => Activity.Current is { OperationName: "singleflight.flight" } span ? span : null;
}
