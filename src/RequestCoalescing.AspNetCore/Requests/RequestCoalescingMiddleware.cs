using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Http;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Lets the callers of an endpoint that has opted in share one run of the rest of the pipeline.</summary>
internal sealed class RequestCoalescingMiddleware(RequestDelegate next, IServiceProvider services, ILogger<RequestCoalescingMiddleware> logger)
{
    // How ASP.NET Core's own middleware notes, in the items of a context, that it has dealt with the endpoint.
    private const string Authorized = "__AuthorizationMiddlewareWithEndpointInvoked";

    private const string Cors = "__CorsMiddlewareWithEndpointInvoked";

    private static readonly string[] s_marks = [Authorized, Cors, "__AntiforgeryMiddlewareWithEndpointInvoked"];

    private readonly IHttpContextFactory _contexts = services.GetRequiredService<IHttpContextFactory>();
    private readonly bool _reportsReads = services.GetService<IHostEnvironment>()?.IsDevelopment() ?? false;

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<CoalesceRequestsAttribute>() is not { IsEnabled: true } metadata || IsWithinAnother(context)) return next(context);
        var policy = Policy.Of(services, metadata.Policy, endpoint);
        if (endpoint.Metadata.GetMetadata<IAuthorizeData>() is not null && !context.Items.ContainsKey(Authorized))
        {
            throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' has to authorize each caller before callers share a run. Call app.UseAuthorization() before app.UseRequestCoalescing().");
        }

        if (endpoint.Metadata.GetMetadata<ICorsMetadata>() is not null and not IDisableCorsAttribute && !context.Items.ContainsKey(Cors) && !policy.HasHeader("Origin"))
        {
            throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' answers each caller's origin (CORS), which its run does not see. Call app.UseCors() before app.UseRequestCoalescing(), or add VaryByHeader(\"Origin\") to the policy.");
        }

        return policy.TryDescribe(context) is { } message ? ShareAsync(context, endpoint, policy, message) : next(context);
    }

    // A run, or the page for an error of one caller.
    private static bool IsWithinAnother(HttpContext context) =>
        context.Features.Get<IHttpRequestLifetimeFeature>() is EndpointRun ||
        context.Response.StatusCode != StatusCodes.Status200OK ||
        context.Features.Get<IExceptionHandlerFeature>() is not null ||
        context.Features.Get<IStatusCodeReExecuteFeature>() is not null;

    private async Task ShareAsync(HttpContext context, Endpoint endpoint, Policy policy, HttpRequestMessage message)
    {
        using var described = message;
        var caller = Caller.Of(context, policy.ReadValues(context), policy.VariesByUser, s_marks);
        HttpResponseMessage? response;
        try
        {
            // A response that is not shared was made without what is the caller's own. So the leader runs alone then, too.
            response = await policy.Coalescer.SendAsync(
                message,
                origin: null,
                Policy.KeyOf(endpoint, caller, context.RequestServices),
                (shared, token) => StartRun(endpoint, policy, caller, shared, token),
                GoAloneAsync,
                context.RequestAborted,
                keepsOwn: false).ConfigureAwait(false);
        }
        catch (EndpointAbortedException)
        {
            context.Abort();
            return;
        }

        if (response is null) return; // it has gone alone
        using (response) await SharedResult.WriteAsync(response, context).ConfigureAwait(false);

        async Task<HttpResponseMessage?> GoAloneAsync()
        {
            await next(context).ConfigureAwait(false);
            return null;
        }
    }

    // It does not see the context of the leader, which may be in another request by now.
    private Task<HttpResponseMessage> StartRun(Endpoint endpoint, Policy policy, Caller caller, HttpRequestMessage shared, CancellationToken flightToken)
    {
        FlightTags.SetRoute((endpoint as RouteEndpoint)?.RoutePattern.RawText);
        var guard = _reportsReads ? new ReadGuard(policy, endpoint, logger) : null;
        return new EndpointRun(_contexts, next, guard?.Watch() ?? endpoint, caller, policy.Instance, FlightRequest.Create(caller, shared, guard), logger, flightToken).StartAsync(shared.Method == HttpMethod.Head);
    }
}
