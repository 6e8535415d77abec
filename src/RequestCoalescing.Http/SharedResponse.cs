using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Headers;
using RequestCoalescing.Http.Rules;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http;

/// <summary>The response to a shared request. Each subscriber gets a message of its own, which reads the one body.</summary>
internal sealed class SharedResponse
{
    // Headers of one connection (RFC 9110, 7.6.1).
    private static readonly HashSet<string> s_hopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Transfer-Encoding", "Upgrade",
    };

    // Headers that a 304 repeats (RFC 9110, 15.4.5).
    private static readonly HashSet<string> s_ofNotModified = new(StringComparer.OrdinalIgnoreCase) { "Cache-Control", "Content-Location", "Date", "ETag", "Expires", "Vary", "Last-Modified", "Cache-Status" };

    private readonly HttpResponseMessage _origin;
    private readonly SharedBody _body;
    private readonly (string Name, string[] Values)[] _headers;
    private readonly (string Name, string[] Values)[] _contentHeaders;

    /// <param name="origin">The response of the origin.</param>
    /// <param name="sent">The request as it was before other handlers changed it.</param>
    /// <param name="body">The body.</param>
    /// <param name="joinableUntil">The timestamp until which callers that come later can join.</param>
    public SharedResponse(HttpResponseMessage origin, HttpRequestMessage sent, SharedBody body, long joinableUntil)
    {
        (_origin, Sent, _body, JoinableUntil) = (origin, sent, body, joinableUntil);
        Vary = ResponseRules.VaryOf(origin);
        var dropped = new HashSet<string>(s_hopByHop.Concat(origin.Headers.Connection), StringComparer.OrdinalIgnoreCase);
        _headers = [.. origin.Headers.NonValidated.Where(header => !dropped.Contains(header.Key)).Select(static header => (header.Key, header.Value.ToArray()))];
        _contentHeaders = [.. origin.Content.Headers.NonValidated.Select(static header => (header.Key, header.Value.ToArray()))];
        ETag = origin.Headers.ETag;
        LastModified = origin.Content.Headers.LastModified;
    }

    /// <summary>Stands for a response that only the leader gets.</summary>
    private SharedResponse() => (_origin, Sent, _body, _headers, _contentHeaders, Vary) = (null!, null!, null!, [], [], []);

    public static SharedResponse NotShared { get; } = new();

    /// <summary>The request as it was before other handlers changed it.</summary>
    public HttpRequestMessage Sent { get; }

    /// <summary>The timestamp until which callers that come later can join.</summary>
    public long JoinableUntil { get; }

    /// <summary>The request headers that the response depends on.</summary>
    public string[] Vary { get; }

    public HttpStatusCode StatusCode => _origin.StatusCode;

    public EntityTagHeaderValue? ETag { get; }

    public DateTimeOffset? LastModified { get; }

    /// <summary>Makes the response of one subscriber.</summary>
    /// <param name="request">The subscriber's request.</param>
    /// <param name="isExpected">Whether the body waits for this subscriber.</param>
    /// <param name="cacheStatus">The value of the <c>Cache-Status</c> header. Null for none.</param>
    /// <param name="response">The response.</param>
    /// <returns>False if the request does not match the response, or the beginning of the body is no longer there.</returns>
    public bool TryGive(HttpRequestMessage request, bool isExpected, string? cacheStatus, [NotNullWhen(true)] out HttpResponseMessage? response)
    {
        response = null;
        if (!RequestKey.AreAlike(request, Sent, Vary))
        {
            if (isExpected) _body.Decline();
            return false;
        }

        var isNotModified = ResponseRules.IsNotModified(request, this);
        if (isNotModified || request.Method == HttpMethod.Head)
        {
            if (isExpected) _body.Decline();
            response = New(request, new ByteArrayContent([]), cacheStatus, isNotModified);
            return true;
        }

        if (!_body.TryJoin(isExpected, out var reader)) return false;
        var stream = new BodyStream(reader);
        var message = response = New(request, new StreamContent(stream), cacheStatus, isNotModified: false);
        stream.AtEnd = () => AddTrailers(message);
        return true;
    }

    private HttpResponseMessage New(HttpRequestMessage request, HttpContent content, string? cacheStatus, bool isNotModified)
    {
        var message = new HttpResponseMessage(isNotModified ? HttpStatusCode.NotModified : _origin.StatusCode) { RequestMessage = request, Version = _origin.Version, Content = content };
        if (_origin.RequestMessage?.RequestUri is { } target) request.RequestUri = target; // after redirections
        if (!isNotModified) message.ReasonPhrase = _origin.ReasonPhrase;
        foreach (var (name, values) in _headers)
        {
            if (!isNotModified || s_ofNotModified.Contains(name)) message.Headers.TryAddWithoutValidation(name, values);
        }

        foreach (var (name, values) in _contentHeaders)
        {
            if (!isNotModified || s_ofNotModified.Contains(name)) message.Content.Headers.TryAddWithoutValidation(name, values);
        }

        if (cacheStatus is not null) message.Headers.TryAddWithoutValidation("Cache-Status", cacheStatus);
        return message;
    }

    private void AddTrailers(HttpResponseMessage message)
    {
        foreach (var (name, values) in _origin.TrailingHeaders.NonValidated)
        {
            if (!message.TrailingHeaders.NonValidated.Contains(name)) message.TrailingHeaders.TryAddWithoutValidation(name, values);
        }
    }
}
