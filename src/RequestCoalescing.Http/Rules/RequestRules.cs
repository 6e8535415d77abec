using System.Net.Http.Headers;

namespace RequestCoalescing.Http.Rules;

/// <summary>Which requests may share a response.</summary>
internal static class RequestRules
{
    /// <summary>Whether a request may share a response with equal ones.</summary>
    public static bool MayShare(HttpRequestMessage request, HttpCoalescingOptions options)
    {
        // Only methods that are safe, and whose response depends on the target alone (RFC 9110, 9.2.1, 9.3.1, 9.3.2).
        if (request.Method != HttpMethod.Get && request.Method != HttpMethod.Head) return false;

        // Content in a GET or HEAD request has no defined meaning (RFC 9110, 9.3.1).
        if (request.Content is not null || request.RequestUri is not { IsAbsoluteUri: true }) return false;

        // The key does not contain options for handlers, or credentials in the target.
        if (((IDictionary<string, object?>)request.Options).Count > 0 || request.RequestUri.UserInfo.Length > 0) return false;

        var headers = request.Headers;
        if (Has(headers, "Expect")) return false; // RFC 9110, 10.1.1
        if (Has(headers, "Upgrade")) return false; // another protocol on this connection (RFC 9110, 7.8)

        // A request that asks for its own answer, or for none from the origin (RFC 9111, 5.2.1.1, 5.2.1.4, 5.2.1.5, 5.2.1.7, 5.4).
        if (headers.NonValidated.TryGetValues("Cache-Control", out var lines) && Forbids(CacheControl.Parse(lines))) return false;
        if (Has(headers, "Pragma") && headers.Pragma.Any(static value => Is(value.Name, "no-cache"))) return false;

        // Credentials and cookies belong to one user (RFC 9110, 11.6.2; RFC 9111, 3.5; RFC 6265, 8).
        if (!options.AllowAuthorization && (Has(headers, "Authorization") || Has(headers, "Proxy-Authorization"))) return false;
        if (!options.AllowCookies && Has(headers, "Cookie")) return false;

        // A part of the representation (RFC 9110, 14.2), and conditions that only this caller's state can meet (RFC 9110, 13.1.1, 13.1.4, 13.1.5).
        if (Has(headers, "Range")) return false;
        if (Has(headers, "If-Range") || Has(headers, "If-Match") || Has(headers, "If-Unmodified-Since")) return false;

        return options.ShouldCoalesce?.Invoke(request) ?? true;
    }

    // A directive that cannot be parsed forbids too.
    private static bool Forbids(CacheControlHeaderValue? control) =>
        control is null || control.NoStore || control.NoCache || control.OnlyIfCached || control.MaxAge == TimeSpan.Zero;

    private static bool Has(HttpRequestHeaders headers, string name) => headers.NonValidated.Contains(name);

    private static bool Is(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
