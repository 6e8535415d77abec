using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>
/// One run of the rest of the pipeline, on a context and a service scope that belong to the flight. It does not run within the request of the leader, so that
/// nothing of it ends with that request.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither a handle nor a timer.")]
internal sealed class EndpointRun : IHttpRequestLifetimeFeature, IThreadPoolWorkItem
{
    private readonly IHttpContextFactory _contexts;
    private readonly RequestDelegate _next;
    private readonly FeatureCollection _features;
    private readonly FlightResponse _response;
    private readonly CancellationTokenSource _abort = new();
    private readonly CancellationTokenRegistration _flight;
    private readonly Activity? _activity = Activity.Current;

    /// <param name="contexts">Makes the context.</param>
    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="features">The request.</param>
    /// <param name="flightToken">The token of the flight. It counts until the response has started.</param>
    public EndpointRun(IHttpContextFactory contexts, RequestDelegate next, FeatureCollection features, CancellationToken flightToken)
    {
        (_contexts, _next, _features) = (contexts, next, features);
        _response = new FlightResponse(Cancel);
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IHttpResponseFeature>(_response);
        features.Set<IHttpResponseBodyFeature>(_response);
        features.Set<IHttpResponseTrailersFeature>(_response);
        RequestAborted = _abort.Token;
        _flight = flightToken.UnsafeRegister(static run => ((EndpointRun)run!).Leave(), this);
    }

    /// <summary>Fires when all callers have left, or when the flight has expired.</summary>
    public CancellationToken RequestAborted { get; set; }

    public Dictionary<object, object?> Items { get; } = [];

    public Endpoint? Endpoint { get; set; }

    /// <summary>Starts the run.</summary>
    /// <returns>The response, when it has started. Fails if the run fails before that.</returns>
    public async Task<HttpResponseMessage> StartAsync()
    {
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
        _response.Break(new IOException("The endpoint has aborted its response."));
        Cancel();
    }

    public void Execute() => _ = RunAsync();

    // Nobody waits for a response that has not started.
    private void Leave()
    {
        _response.Break(new OperationCanceledException("All callers have left, or the flight has expired."));
        Cancel();
    }

    // Callbacks of the endpoint must not keep a caller waiting.
    private void Cancel() => _ = _abort.CancelAsync();

    private async Task RunAsync()
    {
        Activity.Current = _activity;
        Exception? error = null;
        HttpContext? context = null;
        try
        {
            context = _contexts.Create(_features);
            context.SetEndpoint(Endpoint);
            foreach (var (name, value) in Items) context.Items[name] = value;
            await _next(context).ConfigureAwait(false);
            await _response.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            error = exception;
        }

        await _response.EndAsync(error).ConfigureAwait(false);
        if (context is not null) _contexts.Dispose(context);
    }
}
