using Microsoft.AspNetCore.Http;

namespace RequestCoalescing;

/// <summary>How errors of flights become HTTP responses. Set it up once, before the host starts; it is read by all requests.</summary>
public sealed class SingleflightExceptionHandlerOptions
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);

    private readonly Dictionary<Type, int> _statusCodes = new()
    {
        [typeof(FlightRejectedException)] = StatusCodes.Status503ServiceUnavailable,
        [typeof(FlightTimeoutException)] = StatusCodes.Status504GatewayTimeout,
    };

    /// <summary>
    /// The <c>Retry-After</c> header of responses with the status 429 or 503. It is rounded up to whole seconds. Default 1 second. Range: over zero,
    /// up to 1 day. It is checked when the host starts.
    /// </summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether a response contains the name of the instance, in the member <c>singleflight</c>. Default false. The key is never in a response.
    /// </summary>
    public bool IncludeInstance { get; set; }

    /// <summary>
    /// Sets the status code of an exception and of those that derive from it. By default <see cref="FlightRejectedException"/> is 503, and
    /// <see cref="FlightTimeoutException"/> is 504. The response contains nothing of the exception's message.
    /// </summary>
    /// <typeparam name="TException">The type of the exception.</typeparam>
    /// <param name="statusCode">The status code. Range: 400 to 599.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="statusCode"/> is not from 400 to 599.</exception>
    /// <example>
    /// <code>
    /// // Of the package RequestCoalescing.Redis: Redis cannot be reached, and OnOutage is Fail.
    /// builder.Services.AddSingleflightExceptionHandler(errors => errors.Map&lt;ClusterUnavailableException&gt;(StatusCodes.Status503ServiceUnavailable));
    /// </code>
    /// </example>
    public SingleflightExceptionHandlerOptions Map<TException>(int statusCode)
        where TException : Exception
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(statusCode, 400);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(statusCode, 599);
        _statusCodes[typeof(TException)] = statusCode;
        return this;
    }

    internal bool IsValid => RetryAfter > TimeSpan.Zero && RetryAfter <= s_longest;

    internal int? StatusCodeOf(Exception exception)
    {
        for (var type = exception.GetType(); type is not null; type = type.BaseType)
        {
            if (_statusCodes.TryGetValue(type, out var statusCode)) return statusCode;
        }

        return null;
    }
}
