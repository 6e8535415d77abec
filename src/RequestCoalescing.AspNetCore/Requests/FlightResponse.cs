using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The response that an endpoint writes in a flight. The callers of the flight read it from a pipe.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The readers dispose of the message.")]
internal sealed class FlightResponse : IHttpResponseFeature, IHttpResponseBodyFeature, IHttpResponseTrailersFeature
{
    private static readonly PipeOptions s_pipe = new(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024, useSynchronizationContext: false);

    private readonly Pipe _pipe = new(s_pipe);
    private readonly TaskCompletionSource<HttpResponseMessage> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Stack<(Func<object, Task> Callback, object State)> _onStarting = new();
    private readonly Stack<(Func<object, Task> Callback, object State)> _onCompleted = new();
    private readonly Action _abort;
    private readonly FlightBodyWriter _writer;
    private readonly Stream _stream;
    private HttpResponseMessage? _message;
    private int _statusCode = 200;
    private string? _reason;
    private volatile bool _isCompleted;

    /// <param name="abort">Tells the endpoint that nobody reads any more.</param>
    public FlightResponse(Action abort)
    {
        _abort = abort;
        _writer = new FlightBodyWriter(_pipe.Writer, StartAsync);
        Body = _stream = _writer.AsStream(leaveOpen: true);
    }

    /// <summary>Completes when the status and the headers are final.</summary>
    public Task<HttpResponseMessage> Started => _started.Task;

    public int StatusCode
    {
        get => _statusCode;
        set
        {
            ThrowIfStarted();
            _statusCode = value;
        }
    }

    public string? ReasonPhrase
    {
        get => _reason;
        set
        {
            ThrowIfStarted();
            _reason = value;
        }
    }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    public Stream Body { get; set; }

    public bool HasStarted { get; private set; }

    Stream IHttpResponseBodyFeature.Stream => _stream;

    PipeWriter IHttpResponseBodyFeature.Writer => _writer;

    public void OnStarting(Func<object, Task> callback, object state)
    {
        ThrowIfStarted();
        _onStarting.Push((callback, state));
    }

    public void OnCompleted(Func<object, Task> callback, object state) => _onCompleted.Push((callback, state));

    public void DisableBuffering()
    {
        // Nothing is buffered beyond what the readers lag behind.
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(_stream, path, offset, count, cancellationToken);

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (HasStarted) return;
        while (_onStarting.TryPop(out var starting)) await starting.Callback(starting.State).ConfigureAwait(false);
        HasStarted = true;
        if (Headers is HeaderDictionary headers) headers.IsReadOnly = true;
        _message = new HttpResponseMessage((HttpStatusCode)_statusCode) { ReasonPhrase = _reason, Content = new FlightContent(_pipe.Reader, LeaveUnlessComplete) };
        foreach (var (name, values) in Headers)
        {
            if (!_message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values)) _message.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        if (!_started.TrySetResult(_message)) _message.Dispose(); // nobody waits any more
    }

    /// <summary>Ends the body.</summary>
    /// <exception cref="InvalidOperationException">The body has another length than the endpoint has announced.</exception>
    public async Task CompleteAsync()
    {
        if (_isCompleted) return;
        await StartAsync().ConfigureAwait(false);
        _isCompleted = true;
        if (Headers.ContentLength is { } length && _writer.Written != length && _writer.Written > 0)
        {
            var error = new InvalidOperationException($"The endpoint has announced a body of {length} bytes, and has written {_writer.Written}.");
            _writer.Break(error);
            throw error;
        }

        foreach (var (name, values) in Trailers) _message!.TrailingHeaders.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        await _pipe.Writer.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>Ends the run. Does not fail.</summary>
    /// <param name="error">Its error, or null.</param>
    public async Task EndAsync(Exception? error)
    {
        if (error is not null) Break(error);
        while (_onCompleted.TryPop(out var completed))
        {
            try
            {
                await completed.Callback(completed.State).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // The response is complete. Its other callbacks run all the same, as in a request.
            }
        }
    }

    /// <summary>Ends the response with an error. If it has started, its readers see an aborted body.</summary>
    public void Break(Exception error)
    {
        if (!_started.TrySetException(error) && !_isCompleted) _writer.Break(error);
        _isCompleted = true;
    }

    private void LeaveUnlessComplete()
    {
        if (!_isCompleted) _abort();
    }

    private void ThrowIfStarted()
    {
        if (HasStarted) throw new InvalidOperationException("The response has started. Its status and callbacks cannot change any more.");
    }
}
