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
    private readonly SharedBody? _body;
    private readonly byte[]? _whole;
    private readonly long _joinableUntil;
    private readonly List<(string Name, HeaderStringValues Lines)> _headers = [];
    private readonly List<(string Name, HeaderStringValues Lines)> _contentHeaders = [];

    /// <summary>A response whose body arrives.</summary>
    /// <param name="origin">The response of the origin.</param>
    /// <param name="sent">The request that it answers.</param>
    /// <param name="body">The body.</param>
    /// <param name="joinableUntil">The timestamp until which callers that come later can join.</param>
    public SharedResponse(HttpResponseMessage origin, RequestHead sent, SharedBody body, long joinableUntil)
        : this(origin, sent) => (_body, _joinableUntil) = (body, joinableUntil);

    /// <summary>A response whose body has come with the headers.</summary>
    /// <param name="origin">The response of the origin.</param>
    /// <param name="sent">The request that it answers.</param>
    /// <param name="body">The body.</param>
    public SharedResponse(HttpResponseMessage origin, RequestHead sent, byte[] body)
        : this(origin, sent) => _whole = body;

    private SharedResponse(HttpResponseMessage origin, RequestHead sent)
    {
        (_origin, Sent) = (origin, sent);
        Vary = ResponseRules.VaryOf(origin);
        var dropped = origin.Headers.NonValidated.Contains("Connection") ? s_hopByHop.Union(origin.Headers.Connection, StringComparer.OrdinalIgnoreCase).ToHashSet(StringComparer.OrdinalIgnoreCase) : s_hopByHop;
        foreach (var (name, lines) in origin.Headers.NonValidated)
        {
            if (!dropped.Contains(name)) _headers.Add((name, lines));
        }

        foreach (var (name, lines) in origin.Content.Headers.NonValidated) _contentHeaders.Add((name, lines));
        ETag = origin.Headers.ETag;
        LastModified = origin.Content.Headers.LastModified;
    }

    /// <summary>Stands for a response that only the leader gets.</summary>
    private SharedResponse() => (_origin, Sent, Vary) = (null!, null!, []);

    public static SharedResponse NotShared { get; } = new();

    /// <summary>The request that it answers.</summary>
    public RequestHead Sent { get; }

    /// <summary>The request headers that the response depends on.</summary>
    public string[] Vary { get; }

    public HttpStatusCode StatusCode => _origin.StatusCode;

    public EntityTagHeaderValue? ETag { get; }

    public DateTimeOffset? LastModified { get; }

    /// <summary>Whether a caller that comes now can join, while the body arrives.</summary>
    /// <param name="now">The timestamp.</param>
    public bool IsJoinable(long now) => _body is { HasArrived: false } && now <= _joinableUntil;

    /// <summary>Makes the response of one subscriber.</summary>
    /// <param name="request">The subscriber's request.</param>
    /// <param name="isExpected">Whether the body waits for this subscriber.</param>
    /// <param name="cacheStatus">The value of the <c>Cache-Status</c> header. Null for none.</param>
    /// <param name="response">The response.</param>
    /// <returns>False if the request does not match the response, or the beginning of the body is no longer there.</returns>
    public bool TryGive(HttpRequestMessage request, bool isExpected, string? cacheStatus, [NotNullWhen(true)] out HttpResponseMessage? response)
    {
        response = null;
        if (!Sent.IsLike(request, Vary))
        {
            if (isExpected) _body?.Decline();
            return false;
        }

        var isNotModified = ResponseRules.IsNotModified(request, this);
        if (isNotModified || request.Method == HttpMethod.Head)
        {
            if (isExpected) _body?.Decline();
            response = New(request, new ByteArrayContent([]), cacheStatus, isNotModified);
            return true;
        }

        if (_whole is not null)
        {
            response = New(request, new ByteArrayContent(_whole), cacheStatus, isNotModified: false);
            AddTrailers(response);
            return true;
        }

        if (!_body!.TryJoin(isExpected, out var reader)) return false;
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
        foreach (var (name, lines) in _headers)
        {
            if (!isNotModified || s_ofNotModified.Contains(name)) message.Headers.AddLines(name, lines);
        }

        foreach (var (name, lines) in _contentHeaders)
        {
            if (!isNotModified || s_ofNotModified.Contains(name)) message.Content.Headers.AddLines(name, lines);
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
