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
    private readonly Action<Exception> _reportCallback;
    private readonly FlightBodyWriter _writer;
    private readonly FlightBodyStream _reader;
    private readonly Stream _stream;
    private HttpResponseMessage? _message;
    private int _statusCode = 200;
    private string? _reason;
    private bool _isHead;
    private volatile bool _isCompleted;

    /// <param name="abort">Tells the endpoint that no caller reads any more.</param>
    /// <param name="reportCallback">Reports the error of a callback.</param>
    public FlightResponse(Action abort, Action<Exception> reportCallback)
    {
        (_abort, _reportCallback) = (abort, reportCallback);
        _writer = new FlightBodyWriter(_pipe.Writer, StartAsync);
        _reader = new FlightBodyStream(_pipe.Reader);
        Body = _stream = _writer.AsStream(leaveOpen: true);
    }

    /// <summary>Completes when the status and the headers are final.</summary>
    public Task<HttpResponseMessage> Started => _started.Task;

    /// <summary>Whether the request is HEAD, so that the body is dropped.</summary>
    public bool IsHead
    {
        set => _isHead = _writer.Drops = value;
    }

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
        if (await TryPrepareAsync().ConfigureAwait(false)) Publish();
    }

    /// <summary>Ends the body.</summary>
    /// <exception cref="InvalidOperationException">The body has another length than the endpoint has announced.</exception>
    public async Task CompleteAsync()
    {
        if (_isCompleted) return;
        var isNew = await TryPrepareAsync().ConfigureAwait(false);
        if (!_isHead && Headers.ContentLength is { } length && _writer.Written != length && _writer.Written > 0)
        {
            var error = new InvalidOperationException($"The endpoint has announced a body of {length} bytes, and has written {_writer.Written}.");
            if (isNew) Publish();
            _reader.Break(error);
            throw error;
        }

        _isCompleted = true;
        foreach (var (name, values) in Trailers) _message!.TrailingHeaders.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        await _writer.EndAsync().ConfigureAwait(false);
        if (isNew) Publish(); // with its whole body, so that a short response is written at once
    }

    /// <summary>Ends the response with an error. If it has started, its readers see an aborted body.</summary>
    /// <returns>Whether the callers get the error.</returns>
    public bool TryBreak(Exception error)
    {
        if (_isCompleted) return false;
        _writer.Drops = true; // the endpoint may write on
        if (_started.TrySetException(error)) return true;
        _reader.Break(error);
        return false;
    }

    /// <summary>Ends the run. The endpoint writes no more. Does not fail.</summary>
    public async Task EndAsync()
    {
        _isCompleted = true;
        await _writer.EndAsync().ConfigureAwait(false);
        while (_onCompleted.TryPop(out var completed))
        {
            try
            {
                await completed.Callback(completed.State).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                _reportCallback(error); // the others run all the same, as in a request
            }
        }
    }

    // Returns whether this call has made the headers final.
    private async Task<bool> TryPrepareAsync()
    {
        if (HasStarted) return false;
        while (_onStarting.TryPop(out var starting)) await starting.Callback(starting.State).ConfigureAwait(false);
        if (HasStarted) return false; // a callback has written
        if (Headers.TransferEncoding.Count > 0) throw new InvalidOperationException("The endpoint has set Transfer-Encoding. The body of a coalesced response has no framing of its own.");
        HasStarted = true;
        if (Headers is HeaderDictionary headers) headers.IsReadOnly = true;
        _message = new HttpResponseMessage((HttpStatusCode)_statusCode) { ReasonPhrase = _reason, Content = new FlightContent(_reader, LeaveUnlessComplete) };
        foreach (var (name, values) in Headers)
        {
            if (_message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values) || _message.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values)) continue;
            throw new InvalidOperationException($"'{name}' is not a valid name of a response header.");
        }

        return true;
    }

    private void Publish()
    {
        if (!_started.TrySetResult(_message!)) _message!.Dispose(); // no caller waits any more
    }

    // The body of a response to HEAD has no readers.
    private void LeaveUnlessComplete()
    {
        if (_isCompleted || _isHead) return;
        _writer.Drops = true;
        _abort();
    }

    private void ThrowIfStarted()
    {
        if (HasStarted) throw new InvalidOperationException("The response has started. Its status and callbacks cannot change any more.");
    }
}
