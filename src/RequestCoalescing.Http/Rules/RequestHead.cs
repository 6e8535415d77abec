using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace RequestCoalescing.Http.Rules;

/// <summary>
/// What a request has in common with all that share its response: the target, and the headers that are not ignored. The key and the request that is sent are made of it, so that nothing of a caller is
/// sent that is not in its key. It does not change when the caller's request does.
/// </summary>
internal sealed class RequestHead
{
    private const string UserAgent = "User-Agent";

    // Answered for each caller from the shared response.
    private static readonly HashSet<string> s_conditions = new(StringComparer.OrdinalIgnoreCase) { "If-None-Match", "If-Modified-Since" };
    private static readonly HashSet<string> s_plain = new(StringComparer.OrdinalIgnoreCase) { "Accept", "Accept-Encoding", "Accept-Language", "Host" }; // others may be secret
    private static readonly string[] s_credentials = ["Authorization", "Proxy-Authorization", "Cookie"];
    private static readonly byte[] s_salt = RandomNumberGenerator.GetBytes(32);

    private readonly string _target;
    private readonly Uri _uri;
    private readonly Version _version;
    private readonly HttpVersionPolicy _versionPolicy;
    private readonly List<(string Name, HeaderStringValues Values)> _headers = []; // the names are in lower case
    private readonly string? _userAgent; // sent, but no part of the key

    /// <param name="request">The request.</param>
    /// <param name="target">The target.</param>
    /// <param name="vary">The ignored headers that the response is known to depend on, in lower case.</param>
    /// <param name="options">The options.</param>
    public RequestHead(HttpRequestMessage request, string target, string[] vary, HttpCoalescingOptions options)
    {
        (_target, _uri, _version, _versionPolicy) = (target, request.RequestUri!, request.Version, request.VersionPolicy);
        foreach (var (name, values) in request.Headers.NonValidated)
        {
            if (s_conditions.Contains(name)) continue;
            if (options.Ignores(name) && !vary.Contains(name, StringComparer.OrdinalIgnoreCase)) continue;
            _headers.Add((name.ToLowerInvariant(), values));
        }

        if (options.SendsUserAgent && options.KeyHeaders is null && request.Headers.NonValidated.TryGetValues(UserAgent, out var agent)) _userAgent = agent.ToString();
    }

    /// <summary>Returns the target without a fragment.</summary>
    /// <param name="request">The request.</param>
    /// <param name="origin">Stands for the scheme and the authority. Null for those of the request.</param>
    public static string TargetOf(HttpRequestMessage request, string? origin = null)
    {
        var uri = request.RequestUri!;
        return origin is null ? string.Concat(uri.Scheme, "://", uri.Authority, uri.PathAndQuery) : string.Concat(origin, uri.PathAndQuery);
    }

    /// <summary>Returns the key.</summary>
    /// <param name="method">The method of the shared request.</param>
    /// <param name="scope">A part that the request does not show. It may be secret.</param>
    public string Key(HttpMethod method, string? scope) => TextOf(method, scope, HashOf);

    /// <summary>Returns a key that all nodes of a cluster make alike. It tells nothing of the request.</summary>
    /// <param name="method">The method of the shared request.</param>
    /// <param name="scope">A part that the request does not show. It may be secret.</param>
    public string ClusterKey(HttpMethod method, string? scope) =>
        Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(TextOf(method, scope, static secret => secret).AsSpan())));

    /// <summary>Makes the request that is sent.</summary>
    public HttpRequestMessage ToMessage(HttpMethod method)
    {
        var message = new HttpRequestMessage(method, _uri) { Version = _version, VersionPolicy = _versionPolicy };
        foreach (var (name, values) in _headers) message.Headers.AddLines(name, values);
        if (_userAgent is not null && !message.Headers.NonValidated.Contains(UserAgent)) message.Headers.TryAddWithoutValidation(UserAgent, _userAgent);
        return message;
    }

    /// <summary>Whether a request has the same values of some headers as the request that is sent.</summary>
    public bool IsLike(HttpRequestMessage request, string[] names)
    {
        foreach (var name in names)
        {
            if (ValueOf(name) != (request.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null)) return false;
        }

        return true;
    }

    /// <summary>Whether handlers have added credentials to a request that was made of this.</summary>
    public bool HasGainedCredentials(HttpRequestMessage sent) => !IsLike(sent, s_credentials);

    private string? ValueOf(string name)
    {
        foreach (var header in _headers)
        {
            if (header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return header.Values.ToString();
        }

        return name.Equals(UserAgent, StringComparison.OrdinalIgnoreCase) ? _userAgent : null;
    }

    private string TextOf(HttpMethod method, string? scope, Func<string, string> hide)
    {
        var text = new DefaultInterpolatedStringHandler(0, 0, CultureInfo.InvariantCulture, stackalloc char[512]);
        text.AppendLiteral(method.Method);
        text.AppendLiteral(" ");
        text.AppendLiteral(_target);
        text.AppendLiteral(" ");
        text.AppendFormatted(_version);
        text.AppendLiteral(" ");
        text.AppendFormatted(_versionPolicy);
        foreach (var (name, values) in _headers.Count > 1 ? _headers.OrderBy(static header => header.Name, StringComparer.Ordinal) : _headers.AsEnumerable())
        {
            // Several lines are one list (RFC 9110, 5.3). With its length, a value cannot look like another header.
            var value = values.ToString();
            var shown = s_plain.Contains(name) ? value : hide(value);
            text.AppendLiteral("\n");
            text.AppendLiteral(name);
            text.AppendLiteral(":");
            text.AppendFormatted(shown.Length);
            text.AppendLiteral(":");
            text.AppendLiteral(shown);
        }

        if (scope is not null)
        {
            text.AppendLiteral("\n");
            text.AppendLiteral(hide(scope));
        }

        return text.ToStringAndClear();
    }

    private static string HashOf(string secret) => Convert.ToHexString(HMACSHA256.HashData(s_salt, MemoryMarshal.AsBytes(secret.AsSpan())));
}
