using System.IO.Pipelines;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Starts the response at the first flush, and counts the bytes. The memory that it lends stays with the endpoint until the run has ended.</summary>
internal sealed class FlightBodyWriter(PipeWriter pipe, Func<CancellationToken, Task> start) : PipeWriter
{
    private byte[]? _dropped;
    private volatile bool _drops;
    private bool _isLent;
    private bool _hasEnded;

    /// <summary>Whether what is written from now on is dropped, as on a connection that is gone.</summary>
    public bool Drops
    {
        get => _drops;
        set => _drops = value;
    }

    /// <summary>The number of bytes that were written.</summary>
    public long Written { get; private set; }

    public override bool CanGetUnflushedBytes => pipe.CanGetUnflushedBytes;

    public override long UnflushedBytes => _hasEnded ? 0 : pipe.UnflushedBytes;

    public override void Advance(int bytes)
    {
        if (_isLent) pipe.Advance(_drops ? 0 : bytes);
        _isLent = false;
        Written += bytes;
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (!_drops && !_hasEnded)
        {
            _isLent = true;
            return pipe.GetMemory(sizeHint);
        }

        if (_dropped is null || _dropped.Length < sizeHint) _dropped = new byte[Math.Max(sizeHint, 4096)];
        _isLent = false;
        return _dropped;
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void CancelPendingFlush() => pipe.CancelPendingFlush();

    // The end of the run completes the pipe, so that trailers and errors reach the readers.
    public override void Complete(Exception? exception = null)
    {
    }

    /// <summary>Ends the body.</summary>
    public ValueTask EndAsync()
    {
        if (_hasEnded) return default;
        _hasEnded = true;
        return pipe.CompleteAsync();
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        await start(cancellationToken).ConfigureAwait(false);
        return _drops || _hasEnded ? new FlushResult(isCanceled: false, isCompleted: true) : await pipe.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
