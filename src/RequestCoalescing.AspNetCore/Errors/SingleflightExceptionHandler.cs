using System.Globalization;
using System.Reflection;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.AspNetCore.Errors;

/// <summary>
/// Writes errors of flights as problem details (RFC 9457). It logs nothing: rejections are counted, and a timeout is logged once for its flight
/// instead of once for each caller.
/// </summary>
internal sealed class SingleflightExceptionHandler(IProblemDetailsService problems, IOptions<SingleflightExceptionHandlerOptions> options) : IExceptionHandler
{
    private readonly SingleflightExceptionHandlerOptions _options = options.Value;

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (Unwrap(exception) is not { } error || _options.StatusCodeOf(error) is not { } statusCode) return false;

        var response = httpContext.Response;
        response.StatusCode = statusCode;
        if (statusCode is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = Math.Ceiling(_options.RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        // False if the client accepts no JSON. It then gets the status and the header.
        await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = httpContext,
            ProblemDetails = ProblemOf(error, statusCode),
            Exception = exception,
        }).ConfigureAwait(false);
        return true;
    }

    private ProblemDetails ProblemOf(Exception error, int statusCode)
    {
        var (detail, instance) = error switch
        {
            FlightRejectedException { Reason: FlightRejectionReason.Draining } rejected => ("The server is shutting down.", rejected.Instance),
            FlightRejectedException rejected => ("The server is handling too many requests of this kind.", rejected.Instance),
            FlightTimeoutException timeout => ("The result was not ready in time.", timeout.Instance),
            _ => (null, null),
        };
        var problem = new ProblemDetails { Status = statusCode, Detail = detail };
        if (_options.IncludeInstance && instance is not null) problem.Extensions["singleflight"] = instance;
        return problem;
    }

    // Returns the error that is mapped to a status, or null. Blocking waits and reflection wrap the errors that they throw. Several errors count as
    // one if each of them is mapped. Otherwise, one of them is a failure that must not hide behind the others.
    private Exception? Unwrap(Exception? exception) => exception switch
    {
        null => null,
        TargetInvocationException => Unwrap(exception.InnerException),
        AggregateException several => several.Flatten().InnerExceptions is { Count: > 0 } inner && inner.All(error => Unwrap(error) is not null) ? Unwrap(inner[0]) : null,
        _ => _options.StatusCodeOf(exception) is null ? null : exception,
    };
}
