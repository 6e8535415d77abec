using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>
/// One run of the rest of the pipeline, on a context and a service scope that belong to the flight. It does not run within the request of the leader, so that
/// nothing of it ends with that request.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither a handle nor a timer.")]
internal sealed class EndpointRun : IHttpRequestLifetimeFeature, IThreadPoolWorkItem
{
    private static readonly ActivitySource s_source = new(SingleflightTelemetry.ActivitySourceName);

    private readonly IHttpContextFactory _contexts;
    private readonly RequestDelegate _next;
    private readonly Endpoint _endpoint;
    private readonly Caller _caller;
    private readonly string _instance;
    private readonly FeatureCollection _features;
    private readonly ILogger _logger;
    private readonly FlightResponse _response;
    private readonly CancellationTokenSource _abort = new();
    private readonly CancellationTokenRegistration _flight;
    private readonly ActivityContext? _trace = Activity.Current?.Context;

    /// <param name="contexts">Makes the context.</param>
    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="caller">The part of the leader that the run may see.</param>
    /// <param name="instance">The name of the instance.</param>
    /// <param name="features">The request.</param>
    /// <param name="logger">The logger.</param>
    /// <param name="flightToken">The token of the flight. It counts until the response has started.</param>
    public EndpointRun(IHttpContextFactory contexts, RequestDelegate next, Endpoint endpoint, Caller caller, string instance, FeatureCollection features, ILogger logger, CancellationToken flightToken)
    {
        (_contexts, _next, _endpoint, _caller, _instance, _features, _logger) = (contexts, next, endpoint, caller, instance, features, logger);
        _response = new FlightResponse(Cancel, error => Log.CallbackFailed(logger, endpoint.DisplayName, error));
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IHttpResponseFeature>(_response);
        features.Set<IHttpResponseBodyFeature>(_response);
        features.Set<IHttpResponseTrailersFeature>(_response);
        RequestAborted = _abort.Token;
        _flight = flightToken.UnsafeRegister(static run => ((EndpointRun)run!).Leave(), this);
    }

    /// <summary>Fires when all callers have left, or when the flight has expired.</summary>
    public CancellationToken RequestAborted { get; set; }

    /// <summary>Starts the run.</summary>
    /// <param name="isHead">Whether the request is HEAD, so that the body is dropped.</param>
    /// <returns>The response, when it has started. Fails if the run fails before that.</returns>
    public async Task<HttpResponseMessage> StartAsync(bool isHead)
    {
        _response.IsHead = isHead;

        // Without the leader's execution context: setting the current context in it would take the leader's own away.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        try
        {
            return await _response.Started.ConfigureAwait(false);
        }
        finally
        {
            await _flight.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The endpoint breaks its response off.</summary>
    public void Abort()
    {
        _response.TryBreak(new EndpointAbortedException());
        Cancel();
    }

    public void Execute() => _ = RunAsync();

    // No caller waits any more, and the response has not started.
    private void Leave()
    {
        _response.TryBreak(new OperationCanceledException("All callers have left, or the flight has expired."));
        Cancel();
    }

    // Callbacks of the endpoint must not keep a caller waiting.
    private void Cancel() => _ = CancelAsync();

    private async Task CancelAsync()
    {
        try
        {
            await _abort.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            Log.CallbackFailed(_logger, _endpoint.DisplayName, error);
        }
    }

    private async Task RunAsync()
    {
        // The trace goes on, without the baggage and the tags of the leader's request.
        Activity.Current = null;
        using var activity = _trace is { } trace ? s_source.StartActivity("singleflight.endpoint", ActivityKind.Internal, trace) ?? StartUnrecorded(trace) : null;
        activity?.SetTag("singleflight.name", _instance);
        if (_endpoint is RouteEndpoint route) activity?.SetTag("http.route", route.RoutePattern.RawText);
        (CultureInfo.CurrentCulture, CultureInfo.CurrentUICulture) = (_caller.Culture, _caller.UICulture);
        HttpContext? context = null;
        Exception? error = null;
        try
        {
            context = _contexts.Create(_features);
            context.SetEndpoint(_endpoint);
            foreach (var (name, value) in _caller.Values) context.Items[name] = value;
            foreach (var (mark, value) in _caller.Marks) context.Items[mark] = value;
            await _next(context).ConfigureAwait(false);
            await _response.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            error = exception;
        }

        if (error is not null && !_response.TryBreak(error) && !(error is OperationCanceledException && _abort.IsCancellationRequested)) Log.EndpointFailed(_logger, _endpoint.DisplayName, error);
        await _response.EndAsync().ConfigureAwait(false);
        if (context is not null) _contexts.Dispose(context);
    }

    private static Activity StartUnrecorded(ActivityContext trace) =>
        new Activity("singleflight.endpoint").SetParentId(trace.TraceId, trace.SpanId, trace.TraceFlags).Start();
}
