using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Lets the callers of an endpoint that has opted in share one run of the rest of the pipeline.</summary>
internal sealed class RequestCoalescingMiddleware(RequestDelegate next, IServiceProvider services, ILogger<RequestCoalescingMiddleware> logger)
{
    // How ASP.NET Core's own middleware notes, in the items of a context, that it has dealt with the endpoint.
    private const string Authorized = "__AuthorizationMiddlewareWithEndpointInvoked";
    private const string HasCors = "__CorsMiddlewareWithEndpointInvoked";

    private static readonly string[] s_marks = [Authorized, HasCors, "__AntiforgeryMiddlewareWithEndpointInvoked"];

    private readonly IHttpContextFactory _contexts = services.GetRequiredService<IHttpContextFactory>();
    private readonly bool _reportsReads = services.GetService<IHostEnvironment>()?.IsDevelopment() ?? false;

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<CoalesceRequestsAttribute>() is not { IsEnabled: true } metadata) return next(context);
        var policy = Policy.Of(services, metadata.Policy, endpoint);
        if (endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.Authorization.IAuthorizeData>() is not null && !context.Items.ContainsKey(Authorized))
        {
            throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' has to authorize each caller before callers share a run. Call app.UseAuthorization() before app.UseRequestCoalescing().");
        }

        return policy.TryDescribe(context) is { } message ? ShareAsync(context, endpoint, policy, message) : next(context);
    }

    private async Task ShareAsync(HttpContext context, Endpoint endpoint, Policy policy, HttpRequestMessage message)
    {
        using var described = message;
        var parts = policy.ReadParts(context, endpoint);
        using var response = await policy.Coalescer.TryShareAsync(message, origin: null, parts.Text, (shared, token) => StartRun(context, endpoint, policy, parts, shared, token), context.RequestAborted).ConfigureAwait(false);
        if (response is null) await next(context).ConfigureAwait(false);
        else await SharedResult.WriteAsync(response, context).ConfigureAwait(false);
    }

    // Called within the leader's request. Nothing of its context may reach the run but the parts of the key.
    private Task<HttpResponseMessage> StartRun(HttpContext leader, Endpoint endpoint, Policy policy, KeyParts parts, HttpRequestMessage shared, CancellationToken flightToken)
    {
        var guard = _reportsReads ? new ReadGuard(policy, endpoint, logger) : null;
        var run = new EndpointRun(_contexts, next, FlightRequest.Create(leader, parts, shared, guard), flightToken);
        foreach (var (name, value) in parts.Values) run.Items[name] = value;
        foreach (var mark in s_marks)
        {
            if (leader.Items.TryGetValue(mark, out var done)) run.Items[mark] = done;
        }

        run.Endpoint = endpoint;
        return run.StartAsync();
    }
}
