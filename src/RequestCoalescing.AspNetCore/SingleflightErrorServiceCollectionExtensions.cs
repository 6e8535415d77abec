using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using RequestCoalescing;
using RequestCoalescing.AspNetCore.Errors;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Errors of flights as HTTP responses.</summary>
public static class SingleflightErrorServiceCollectionExtensions
{
    /// <summary>
    /// Lets the middleware of <c>app.UseExceptionHandler()</c> answer errors of flights with problem details (RFC 9457): a
    /// <see cref="FlightRejectedException"/> with 503 and <c>Retry-After</c>, a <see cref="FlightTimeoutException"/> with 504. Other exceptions are
    /// left to the handlers that are registered after this one, and to the middleware. Calling this again adds to the options.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options. They are validated when the host starts.</param>
    /// <returns>The services.</returns>
    /// <remarks>
    /// The response says nothing of the key, which may be personal data. If the response has started, the exception is left alone. This also adds
    /// ASP.NET Core's own <c>AddProblemDetails()</c>.
    /// </remarks>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight();
    /// builder.Services.AddSingleflightExceptionHandler(errors => errors.RetryAfter = TimeSpan.FromSeconds(5));
    /// var app = builder.Build();
    /// app.UseExceptionHandler(); // before the endpoints
    /// </code>
    /// </example>
    public static IServiceCollection AddSingleflightExceptionHandler(
        this IServiceCollection services,
        Action<SingleflightExceptionHandlerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddProblemDetails();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IExceptionHandler, SingleflightExceptionHandler>());
        var options = services.AddOptions<SingleflightExceptionHandlerOptions>();
        if (configure is not null) options.Configure(configure);
        options
            .Validate(
                static options => options.IsValid,
                $"{nameof(SingleflightExceptionHandlerOptions)}.{nameof(SingleflightExceptionHandlerOptions.RetryAfter)} must be over zero, and at most 1 day.")
            .ValidateOnStart();
        return services;
    }
}
