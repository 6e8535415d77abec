using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace RequestCoalescing.Http.Rules;

/// <summary>Which responses may be shared.</summary>
internal static class ResponseRules
{
    // Responses that a cache may store without an explicit lifetime (RFC 9110, 15.1).
    private static readonly HashSet<int> s_heuristic = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    private static readonly SearchValues<char> s_ofNames = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Whether a response may be given to all callers of its request.</summary>
    /// <param name="response">The response.</param>
    /// <param name="mode">The kind of cache.</param>
    /// <param name="hasCredentials">Whether the request was sent with credentials that are not in its key.</param>
    public static bool MayShare(HttpResponseMessage response, SharingMode mode, bool hasCredentials)
    {
        var status = (int)response.StatusCode;

        // The outcome of a handshake, a part, a challenge or a limit is for the one that asked (RFC 9110, 15.2.2, 15.3.7, 15.5.2, 15.5.8; RFC 6585, 4).
        if (status is 101 or 206 or 401 or 407 or 429) return false;

        var headers = response.Headers;
        if (headers.NonValidated.Contains("Set-Cookie")) return false; // RFC 6265, 3
        if (Array.Exists(VaryOf(response), static name => name == "*" || name.AsSpan().ContainsAnyExcept(s_ofNames))) return false; // RFC 9110, 12.5.5, 5.6.2

        if (response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var type) && type.ToString().StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase)) return false; // it has no end, and its beginning is soon out of date

        var control = headers.NonValidated.TryGetValues("Cache-Control", out var lines) ? CacheControl.Parse(lines) : new CacheControlHeaderValue();
        if (control is null) return false; // it cannot be parsed

        // Only what is understood may be stored (RFC 9111, 3, 5.2.2.3).
        if (!Enum.IsDefined(response.StatusCode) && control.Extensions.Any(static directive => directive.Name.Equals("must-understand", StringComparison.OrdinalIgnoreCase))) return false;

        // Handlers behind this one have added credentials, which are not in the key (RFC 9111, 3.5).
        if (hasCredentials && control is not ({ Public: true } or { MustRevalidate: true } or { SharedMaxAge: not null })) return false;
        if (control is { Private: true } && mode == SharingMode.Shared) return false; // RFC 9111, 5.2.2.7

        var hasContent = LengthOf(response) != 0;
        if (control is { NoStore: true } && (status < 500 || hasContent)) return false; // RFC 9111, 5.2.2.5

        // An error of the origin is one error for all, if it contains nothing that is protected.
        if (status >= 500) return true;

        // A lifetime, explicit or heuristic (RFC 9111, 3).
        return s_heuristic.Contains(status) || control is { Public: true } or { MaxAge: not null } or { Private: true } || (control.SharedMaxAge is not null && mode == SharingMode.Shared) || response.Content.Headers.NonValidated.Contains("Expires");
    }

    /// <summary>The length that the origin has announced. <see cref="HttpContentHeaders.ContentLength"/> would add one of its own to the headers.</summary>
    public static long? LengthOf(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Length", out var values) && long.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : null;

    /// <summary>The names of the request headers that the response depends on (RFC 9110, 12.5.5), in lower case.</summary>
    public static string[] VaryOf(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Vary", out var values)
            ? [.. values.SelectMany(static value => value.Split(',')).Select(static name => name.Trim(' ', '\t').ToLowerInvariant()).Where(static name => name.Length > 0).Distinct().Order(StringComparer.Ordinal)]
            : [];

    /// <summary>Whether a caller that has sent conditions gets a 304 instead of the response (RFC 9110, 13.1.2, 13.1.3, 13.2.2).</summary>
    public static bool IsNotModified(HttpRequestMessage request, SharedResponse response)
    {
        if (response.StatusCode != HttpStatusCode.OK) return false;
        var headers = request.Headers;
        if (headers.NonValidated.Contains("If-None-Match"))
        {
            if (headers.IfNoneMatch.Any(static tag => tag.Tag == "*")) return true;
            return response.ETag is { } etag && headers.IfNoneMatch.Any(known => known.Tag == etag.Tag); // the weak comparison (RFC 9110, 8.8.3.2)
        }

        return headers.IfModifiedSince is { } since && response.LastModified is { } modified && modified <= since;
    }
}
