using System.Collections.Concurrent;
using RequestCoalescing.Http.Cluster;
using RequestCoalescing.Http.Rules;
using RequestCoalescing.Http.Streams;
using RequestCoalescing.Shared;

namespace RequestCoalescing.Http;

/// <summary>The part that all handlers of a client share: the flights, the bodies that are streamed now, and the knowledge of the origin's responses.</summary>
internal sealed class HttpCoalescer : IDisposable
{
    // The response of a first flight may vary in a way that was not known, and the beginning of its body may be gone.
    private const int Attempts = 3;

    private readonly ISingleflight<string> _flights;
    private readonly ClusterOrigin? _cluster;
    private readonly HttpCoalescingOptions _options;
    private readonly TimeProvider _clock;
    private readonly string? _cacheStatus;
    private readonly BufferBudget _budget;
    private readonly AloneLimit _alone;
    private readonly Remembered<object> _notShared;
    private readonly Remembered<string[]> _varying;
    private readonly ConcurrentDictionary<string, SharedResponse> _streaming = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Call> _waiting = new(StringComparer.Ordinal); // keys whose headers have not arrived

    /// <param name="flights">Coalesces the requests until the headers of their response arrive.</param>
    /// <param name="options">Validated options.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="name">The name in <c>Cache-Status</c>.</param>
    /// <param name="overflow">Decides for a request past <see cref="HttpCoalescingOptions.MaxAlone"/>. Null to reject it.</param>
    /// <param name="cluster">Lets the nodes of a cluster share the requests that are sent. Null if this is the only node.</param>
    public HttpCoalescer(ISingleflight<string> flights, HttpCoalescingOptions options, TimeProvider clock, string name, Func<OverflowBehavior>? overflow = null, ISingleflight<string>? cluster = null)
    {
        _cluster = cluster is null ? null : new ClusterOrigin(cluster, options);
        (_flights, _options, _clock) = (flights, options, clock);
        _cacheStatus = options.AddsCacheStatus ? $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"; fwd=miss; collapsed" : null;
        _budget = new BufferBudget(options.MaxTotalBufferedBytes);
        _alone = new AloneLimit(options.MaxAlone, overflow ?? (static () => OverflowBehavior.Reject));
        _notShared = new Remembered<object>(options.MaxRemembered, clock);
        _varying = new Remembered<string[]>(options.MaxRemembered, clock);
    }

    /// <summary>The bytes of bodies that are in memory now.</summary>
    public long BufferedBytes => _budget.Taken;

    /// <summary>How many requests <see cref="HttpCoalescingOptions.MaxAlone"/> has rejected.</summary>
    public long Rejected => _alone.Rejected;

    /// <summary>The bodies that arrive now.</summary>
    public int Streaming => _streaming.Count;

    /// <summary>Sends a request that may be shared, shares one that is in the air, or lets the request go alone.</summary>
    /// <param name="request">The request.</param>
    /// <param name="origin">Stands for the scheme and the authority of the target in the key. Null for those of the request.</param>
    /// <param name="scope">A part of the key that the request does not show. It may be secret.</param>
    /// <param name="send">Sends a request to the origin, and completes when its headers have arrived.</param>
    /// <param name="goAlone">Sends the caller's own request, for the caller alone.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <param name="keepsOwn">Whether the caller that leads keeps a response that is not shared. Otherwise, it goes alone too.</param>
    /// <returns>The response, or what <paramref name="goAlone"/> has returned.</returns>
    /// <exception cref="FlightRejectedException">A limit was reached.</exception>
    public async Task<HttpResponseMessage?> SendAsync(
        HttpRequestMessage request,
        string? origin,
        string? scope,
        Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send,
        Func<Task<HttpResponseMessage?>> goAlone,
        CancellationToken cancellationToken,
        bool keepsOwn = true)
    {
        if (!RequestRules.MayShare(request, _options)) return await goAlone().ConfigureAwait(false);
        if (await TryShareAsync(request, origin, scope, send, keepsOwn, cancellationToken).ConfigureAwait(false) is { } response) return response;
        var hasPlace = _alone.TryEnter();
        try
        {
            return await goAlone().ConfigureAwait(false);
        }
        finally
        {
            if (hasPlace) _alone.Exit();
        }
    }

    public void Dispose()
    {
        _notShared.Clear();
        _varying.Clear();
    }

    // Returns null if the caller goes alone.
    private async Task<HttpResponseMessage?> TryShareAsync(
        HttpRequestMessage request,
        string? origin,
        string? scope,
        Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send,
        bool keepsOwn,
        CancellationToken cancellationToken)
    {
        var target = RequestHead.TargetOf(request, origin);
        string[] learnt = [];
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var known = VaryOf(target);
            var head = new RequestHead(request, target, learnt.Length == 0 ? known : [.. known, .. learnt], _options);
            var method = MethodFor(request, head, scope);
            var key = head.Key(method, scope);
            if (_notShared.TryGet(key, out _)) break;
            if (_streaming.TryGetValue(key, out var streaming) && streaming.IsJoinable(_clock.GetTimestamp()) && streaming.TryGive(request, isExpected: false, _cacheStatus, out var late)) return late;

            var call = new Call(this, key, _cluster is null ? null : head.ClusterKey(method, scope), target, method, head, send);
            try
            {
                var shared = await _flights.ExecuteAsync(key, call, static (call, flight) => call.RunAsync(flight), cancellationToken).ConfigureAwait(false);
                if (shared != SharedResponse.NotShared)
                {
                    if (shared.TryGive(request, isExpected: true, call.HasLed ? null : _cacheStatus, out var response)) return response;
                    learnt = shared.Vary;
                    continue;
                }

                if (call.TakeOwn() is not { } own) break;
                if (keepsOwn && call.Matches(request, own))
                {
                    request.RequestUri = own.RequestMessage?.RequestUri ?? request.RequestUri; // after redirections
                    own.RequestMessage = request;
                    return own;
                }

                own.Dispose(); // it is not wanted, depends on a header that was not sent, or belongs to a GET request while this one is HEAD
                break;
            }
            catch
            {
                call.Abandon();
                throw;
            }
        }

        return null;
    }

    // A HEAD request gets its response from a GET that is in the air (RFC 9110, 9.3.2).
    private HttpMethod MethodFor(HttpRequestMessage request, RequestHead head, string? scope)
    {
        if (request.Method != HttpMethod.Head) return request.Method;
        var get = head.Key(HttpMethod.Get, scope);
        var isThere = (_waiting.TryGetValue(get, out var call) && call.IsCurrent)
            || (_streaming.TryGetValue(get, out var streaming) && streaming.IsJoinable(_clock.GetTimestamp()));
        return isThere ? HttpMethod.Get : HttpMethod.Head;
    }

    private string[] VaryOf(string target) => _varying.TryGet(target, out var names) ? names : [];

    private void RememberVary(string target, string[] names)
    {
        if (names.Length == 0) return;
        var known = VaryOf(target);
        string[] all = [.. known.Union(names).Order(StringComparer.Ordinal)];
        if (all.Length > known.Length) _varying.Set(target, all, _options.NotSharedDuration);
    }

    /// <summary>One call. If it leads, it sends the request.</summary>
    private sealed class Call(
        HttpCoalescer owner,
        string key,
        string? clusterKey,
        string target,
        HttpMethod method,
        RequestHead head,
        Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send)
    {
        private readonly Lock _gate = new();
        private HttpResponseMessage? _own;
        private bool _isAbandoned;
        private volatile bool _hasLed;
        private FlightContext _flight;

        public bool HasLed => _hasLed;

        public bool IsCurrent => _flight.IsCurrent;

        public async ValueTask<SharedResponse> RunAsync(FlightContext flight)
        {
            _hasLed = true;
            _flight = flight;
            owner._waiting[key] = this;
            try
            {
                var sent = head.ToMessage(method);
                var trySend = owner._options.RetriesOnce ? SendTwiceAsync : send;
                var response = owner._cluster is { } cluster
                    ? await cluster.SendAsync(clusterKey!, head, sent, trySend, flight.CancellationToken).ConfigureAwait(false)
                    : await trySend(sent, flight.CancellationToken).ConfigureAwait(false);
                if (flight.CancellationToken.IsCancellationRequested)
                {
                    response.Dispose();
                    flight.CancellationToken.ThrowIfCancellationRequested();
                }

                if (!ResponseRules.MayShare(response, owner._options.Mode, head.HasGainedCredentials(sent)))
                {
                    owner._notShared.Set(key, key, owner._options.NotSharedDuration);
                    Keep(response);
                    return SharedResponse.NotShared;
                }

                try
                {
                    return await ShareAsync(response, flight).ConfigureAwait(false);
                }
                catch
                {
                    response.Dispose();
                    throw;
                }
            }
            finally
            {
                owner._waiting.TryRemove(new(key, this));
            }
        }

        /// <summary>Whether the response is what the request asks for, and depends on nothing that was not sent.</summary>
        public bool Matches(HttpRequestMessage request, HttpResponseMessage own) => request.Method == method && head.IsLike(request, Array.FindAll(ResponseRules.VaryOf(own), static name => name != "*"));

        /// <summary>Returns the response, if it is only for this call.</summary>
        public HttpResponseMessage? TakeOwn()
        {
            lock (_gate)
            {
                var own = _own;
                _own = null;
                return own;
            }
        }

        /// <summary>The caller has left, and takes no response.</summary>
        public void Abandon()
        {
            lock (_gate) _isAbandoned = true;
            TakeOwn()?.Dispose();
        }

        private async Task<HttpResponseMessage> SendTwiceAsync(HttpRequestMessage sent, CancellationToken cancellationToken)
        {
            try
            {
                return await send(sent, cancellationToken).ConfigureAwait(false);
            }
            catch (HttpRequestException) when (!cancellationToken.IsCancellationRequested)
            {
                return await send(sent, cancellationToken).ConfigureAwait(false);
            }
        }

        private void Keep(HttpResponseMessage response)
        {
            bool isAbandoned;
            lock (_gate)
            {
                isAbandoned = _isAbandoned;
                if (!isAbandoned) _own = response;
            }

            if (isAbandoned) response.Dispose();
        }

        private async ValueTask<SharedResponse> ShareAsync(HttpResponseMessage response, FlightContext flight)
        {
            var options = owner._options;
            owner.RememberVary(target, ResponseRules.VaryOf(response));
            var start = new BodyStart(await response.Content.ReadAsStreamAsync(flight.CancellationToken).ConfigureAwait(false));
            if (start.TryReadWhole() is { } whole)
            {
                using (response) return new SharedResponse(response, head, whole);
            }

            var body = new SharedBody(owner._budget, options.MaxBufferedBytes, options.MaxBodyIdle, flight.SubscriberCount, owner._clock, ResponseRules.LengthOf(response));
            var joinableUntil = owner._clock.GetTimestamp() + (long)(options.MaxBodyIdle.TotalSeconds * owner._clock.TimestampFrequency);
            var shared = new SharedResponse(response, head, body, joinableUntil);
            if (flight.IsCurrent) owner._streaming[key] = shared;
            _ = body.CloseAsync();
            _ = FillAsync();
            return shared;

            async Task FillAsync()
            {
                using (response)
                {
                    await body.FillAsync(start).ConfigureAwait(false);
                    await start.StopAsync().ConfigureAwait(false);
                }

                owner._streaming.TryRemove(new(key, shared));
            }
        }
    }
}
