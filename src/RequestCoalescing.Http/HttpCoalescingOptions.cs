using System.ComponentModel;

namespace RequestCoalescing.Http;

/// <summary>
/// Options of shared responses. The settings are in the section <c>Http</c> of the instance: <c>Singleflight:http-NAME:Http</c> for the client NAME,
/// <c>Singleflight:requests-NAME:Http</c> for a policy of an application, and <c>Singleflight:proxy-NAME:Http</c> for a policy of a proxy.
/// </summary>
public sealed class HttpCoalescingOptions
{
    /// <summary>For which kind of cache a response must be storable. Default <see cref="SharingMode.Shared"/>.</summary>
    public SharingMode Mode { get; set; }

    /// <summary>
    /// Whether requests with an <c>Authorization</c> header are coalesced. Only requests with the same value share a response. Default <see langword="false"/>: they go alone.
    /// </summary>
    public bool AllowAuthorization { get; set; }

    /// <summary>
    /// Whether requests with a <c>Cookie</c> header are coalesced. Only requests with the same value share a response. Default <see langword="false"/>: they go alone.
    /// </summary>
    public bool AllowCookies { get; set; }

    /// <summary>
    /// The headers that are neither part of the key nor sent with a shared request. By default, those that forward, trace or identify a caller. All other
    /// headers of a request are part of the key. If the origin names one of these in <c>Vary</c>, it becomes a part of the key. The names ignore case.
    /// </summary>
    public ISet<string> IgnoredHeaders { get; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase)
    {
        "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-IP", "Via", "traceparent", "tracestate", "baggage",
        "Request-Id", "Correlation-Context", "X-Request-Id", "X-Correlation-Id", "Referer", "From", "DNT", "Priority", "Sec-GPC", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
        "Sec-Fetch-Site", "Sec-Fetch-User", "Upgrade-Insecure-Requests", "Keep-Alive", "Connection", "Proxy-Connection", "TE", "Max-Forwards",
    };

    /// <summary>
    /// Whether a shared request carries the <c>User-Agent</c> of the caller that leads. It is not part of the key. Default <see langword="true"/>, because many
    /// APIs demand one. Set it to false if the callers are different clients.
    /// </summary>
    public bool SendsUserAgent { get; set; } = true;

    /// <summary>Chooses the requests that may be coalesced, among those that the rules allow. Null for all of them. Its exceptions reach the caller.</summary>
    public Func<HttpRequestMessage, bool>? ShouldCoalesce { get; set; }

    /// <summary>
    /// How many bytes of a body are kept in memory for its slower readers. A reader that lags further behind gets a <see cref="SharedBodyLagException"/>. Default
    /// 64 MiB. Range: 256 KiB and up.
    /// </summary>
    public long MaxBufferedBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// How many bytes of all bodies together are kept in memory. A body that finds no room waits, and fails after <see cref="MaxBodyIdle"/>. Up to 16 KiB that come with the
    /// headers of a response do not count while they are outside of the buffer. Default 256 MiB. Range: 256 KiB and up.
    /// </summary>
    public long MaxTotalBufferedBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>
    /// The size of the largest body that crosses to the other nodes of a cluster, in bytes. Larger ones stay with their node, and each waiting node sends the request itself. It
    /// must fit into <c>MaxPayloadBytes</c> of the instance in Redis, as text that is a third longer. Default 512 KiB. Range: 0 to 64 MiB.
    /// </summary>
    public int MaxClusterBodyBytes { get; set; } = 512 * 1024;

    /// <summary>
    /// How long an origin may send nothing of a body. Then its readers get an error. The time until the headers is bounded by
    /// <see cref="SingleflightOptions.MaxDuration"/>. Default 30 seconds. Range: 1 millisecond to 1 day.
    /// </summary>
    public TimeSpan MaxBodyIdle { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a key is remembered whose response could not be shared. Its requests go alone meanwhile, and do not wait. Default 2 minutes. Range: 1 second
    /// to 1 day.
    /// </summary>
    public TimeSpan NotSharedDuration { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How many requests may be at the origin alone at once, because their response could not be shared. <see cref="SingleflightOptions.Overflow"/> of the instance decides for
    /// one more. Requests that go alone by their own headers do not count. Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxAlone { get; set; } = int.MaxValue;

    /// <summary>
    /// Whether a shared request is sent once more if the connection to the origin fails before the headers (<see cref="HttpRequestException"/>). The second request is for all callers that wait, and its
    /// time counts towards <see cref="SingleflightOptions.MaxDuration"/>. GET and HEAD may be repeated (RFC 9110, 9.2.2). For more retries, use a handler that is nearer to the origin. Default
    /// <see langword="false"/>.
    /// </summary>
    public bool RetriesOnce { get; set; }

    /// <summary>How many keys are remembered: those that are not shared, and those whose response varies. At times there is a hundredth more. Those that were used least lately are forgotten first. Default 10,000. Range: 1 and up.</summary>
    public int MaxRemembered { get; set; } = 10_000;

    /// <summary>
    /// Whether the responses of followers have a <c>Cache-Status</c> header (RFC 9211) that says that the request was collapsed. Default <see langword="true"/>.
    /// </summary>
    public bool AddsCacheStatus { get; set; } = true;

    /// <summary>The only headers that are part of the key. Null if all but the ignored ones are.</summary>
    internal ISet<string>? KeyHeaders { get; set; }

    internal bool Ignores(string header) => KeyHeaders is null ? IgnoredHeaders.Contains(header) || header.Equals("User-Agent", StringComparison.OrdinalIgnoreCase) : !KeyHeaders.Contains(header);

    internal void Validate()
    {
        if (!Enum.IsDefined(Mode)) throw new InvalidEnumArgumentException(nameof(Mode), (int)Mode, typeof(SharingMode));
        if (MaxBufferedBytes < 256 * 1024) throw new ArgumentOutOfRangeException(nameof(MaxBufferedBytes), MaxBufferedBytes, "It must be 262144 (256 KiB) or more.");
        if (MaxTotalBufferedBytes < 256 * 1024) throw new ArgumentOutOfRangeException(nameof(MaxTotalBufferedBytes), MaxTotalBufferedBytes, "It must be 262144 (256 KiB) or more.");
        if (MaxClusterBodyBytes is < 0 or > 64 * 1024 * 1024) throw new ArgumentOutOfRangeException(nameof(MaxClusterBodyBytes), MaxClusterBodyBytes, "It must be from 0 to 67108864 (64 MiB).");
        ThrowIfOutside(MaxBodyIdle, TimeSpan.FromMilliseconds(1), nameof(MaxBodyIdle));
        ThrowIfOutside(NotSharedDuration, TimeSpan.FromSeconds(1), nameof(NotSharedDuration));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxAlone, 1, nameof(MaxAlone));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRemembered, 1, nameof(MaxRemembered));
    }

    private static void ThrowIfOutside(TimeSpan value, TimeSpan least, string name)
    {
        if (value < least || value > TimeSpan.FromDays(1)) throw new ArgumentOutOfRangeException(name, value, $"It must be from {least:c} to 1 day.");
    }
}
