using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace RequestCoalescing.Http.Rules;

/// <summary>The key of a request, and the request that is sent for all that have the key. They have the same headers, so that nothing of a caller is sent that is not in its key.</summary>
internal static class RequestKey
{
    // Answered for each caller from the shared response.
    private static readonly HashSet<string> s_conditions = new(StringComparer.OrdinalIgnoreCase) { "If-None-Match", "If-Modified-Since" };
    private static readonly HashSet<string> s_plain = new(StringComparer.OrdinalIgnoreCase) { "Accept", "Accept-Encoding", "Accept-Language", "Host" }; // others may be secret
    private static readonly string[] s_credentials = ["Authorization", "Proxy-Authorization", "Cookie"];
    private static readonly byte[] s_salt = RandomNumberGenerator.GetBytes(32);

    /// <summary>Returns the key.</summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The target.</param>
    /// <param name="method">The method of the shared request.</param>
    /// <param name="scope">A part that the request does not show. It may be secret.</param>
    /// <param name="vary">The ignored headers that the response is known to depend on, in order.</param>
    /// <param name="options">The options.</param>
    public static string Of(HttpRequestMessage request, string target, HttpMethod method, string? scope, IReadOnlyCollection<string> vary, HttpCoalescingOptions options) =>
        TextOf(request, target, method, scope, vary, options, HashOf);

    /// <summary>Returns a key that all nodes of a cluster make alike. It tells nothing of the request.</summary>
    public static string ForCluster(HttpRequestMessage request, string target, HttpMethod method, string? scope, IReadOnlyCollection<string> vary, HttpCoalescingOptions options) =>
        Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(TextOf(request, target, method, scope, vary, options, static secret => secret).AsSpan())));

    /// <summary>Returns the target without a fragment.</summary>
    /// <param name="request">The request.</param>
    /// <param name="origin">Stands for the scheme and the authority. Null for those of the request.</param>
    public static string TargetOf(HttpRequestMessage request, string? origin = null) =>
        $"{origin ?? $"{request.RequestUri!.Scheme}://{request.RequestUri.Authority}"}{request.RequestUri!.PathAndQuery}";

    /// <summary>Whether a request was sent with credentials that it did not have before.</summary>
    public static bool HasGainedCredentials(HttpRequestMessage before, HttpRequestMessage sent) => !AreAlike(before, sent, s_credentials);

    /// <summary>Makes the request that is sent.</summary>
    public static HttpRequestMessage Shared(HttpRequestMessage request, HttpMethod method, IReadOnlyCollection<string> vary, HttpCoalescingOptions options)
    {
        var shared = new HttpRequestMessage(method, request.RequestUri) { Version = request.Version, VersionPolicy = request.VersionPolicy };
        foreach (var (name, values) in HeadersOf(request, vary, options)) shared.Headers.TryAddWithoutValidation(name, (IEnumerable<string>)values);
        if (options.SendsUserAgent && options.KeyHeaders is null && !shared.Headers.NonValidated.Contains("User-Agent") && request.Headers.NonValidated.TryGetValues("User-Agent", out var agent))
        {
            shared.Headers.TryAddWithoutValidation("User-Agent", agent.ToString());
        }

        return shared;
    }

    /// <summary>Whether two requests have the same values of some headers.</summary>
    public static bool AreAlike(HttpRequestMessage request, HttpRequestMessage shared, IEnumerable<string> names) =>
        names.All(name => ValueOf(request, name) == ValueOf(shared, name));

    private static IEnumerable<(string Name, HeaderStringValues Values)> HeadersOf(HttpRequestMessage request, IReadOnlyCollection<string> vary, HttpCoalescingOptions options)
    {
        foreach (var (given, values) in request.Headers.NonValidated)
        {
            var name = given.ToLowerInvariant();
            if (s_conditions.Contains(name)) continue;
            if (options.Ignores(name) && !vary.Contains(name)) continue;
            yield return (name, values);
        }
    }

    private static string TextOf(
        HttpRequestMessage request,
        string target,
        HttpMethod method,
        string? scope,
        IReadOnlyCollection<string> vary,
        HttpCoalescingOptions options,
        Func<string, string> hide)
    {
        var text = new StringBuilder(method.Method).Append(' ').Append(target).Append(' ').Append(request.Version).Append(' ').Append(request.VersionPolicy);
        foreach (var (name, values) in HeadersOf(request, vary, options).OrderBy(static header => header.Name, StringComparer.Ordinal))
        {
            // Several lines are one list (RFC 9110, 5.3). With its length, a value cannot look like another header.
            var value = values.ToString();
            var shown = s_plain.Contains(name) ? value : hide(value);
            text.Append('\n').Append(name).Append(':').Append(shown.Length).Append(':').Append(shown);
        }

        if (scope is not null) text.Append('\n').Append(hide(scope));
        return text.ToString();
    }

    private static string? ValueOf(HttpRequestMessage request, string name) =>
        request.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    private static string HashOf(string secret) => Convert.ToHexString(HMACSHA256.HashData(s_salt, MemoryMarshal.AsBytes(secret.AsSpan())));
}
