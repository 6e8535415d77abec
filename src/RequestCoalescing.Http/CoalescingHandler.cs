namespace RequestCoalescing.Http;

/// <summary>
/// Lets equal requests that are in the air at once share one. The response is streamed to each caller as it arrives, at the caller's own pace.
/// </summary>
/// <remarks>
/// <para>GET and HEAD requests may share a response that a cache may store (RFC 9111, section 3). All others pass. Two requests are equal if their target, and
/// all headers that are not in <see cref="HttpCoalescingOptions.IgnoredHeaders"/>, are equal.</para>
/// <para>A caller that leaves affects no other one. When all have left, the request to the origin is cancelled. If the origin fails within the body, all
/// readers get an error after the bytes before it.</para>
/// <para>Put it inside of handlers that act for one caller, such as authentication, and outside of those that act for the origin, such as retries. Synchronous
/// calls pass. All members are safe to call from any number of threads at once.</para>
/// </remarks>
public sealed class CoalescingHandler : DelegatingHandler
{
    private readonly HttpCoalescer _coalescer;
    private readonly Singleflight? _ownFlights;
    private readonly bool _ownsCoalescer;

    /// <summary>Creates a handler. For a client of <c>IHttpClientFactory</c>, use <c>AddRequestCoalescing</c> instead.</summary>
    /// <param name="options">The options. Null for the defaults. Later changes have no effect.</param>
    /// <param name="singleflight">Coalesces the requests. Its keys contain the targets and headers of requests. Null for an engine of the handler's own.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public CoalescingHandler(HttpCoalescingOptions? options = null, ISingleflight<string>? singleflight = null)
    {
        options ??= new HttpCoalescingOptions();
        options.Validate();
        if (singleflight is null) singleflight = _ownFlights = new Singleflight(new SingleflightOptions { Name = "http" });
        _coalescer = new HttpCoalescer(singleflight, options, TimeProvider.System, "http");
        _ownsCoalescer = true;
    }

    internal CoalescingHandler(HttpCoalescer coalescer) => _coalescer = coalescer;

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _coalescer.SendAsync(request, origin: null, scope: null, SendSharedAsync, () => base.SendAsync(request, cancellationToken)!, cancellationToken)!;
    }

    private Task<HttpResponseMessage> SendSharedAsync(HttpRequestMessage shared, CancellationToken cancellationToken)
    {
        FlightTags.SetServer(shared.RequestUri);
        return base.SendAsync(shared, cancellationToken);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && _ownsCoalescer)
        {
            _coalescer.Dispose();
            if (_ownFlights is not null) _ = _ownFlights.DisposeAsync().AsTask();
        }

        base.Dispose(disposing);
    }
}
