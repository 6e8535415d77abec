using System.IO.Pipelines;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Starts the response at the first flush, and counts the bytes.</summary>
internal sealed class FlightBodyWriter(PipeWriter pipe, Func<CancellationToken, Task> start) : PipeWriter
{
    private volatile bool _isBroken;
    private byte[]? _dropped;

    /// <summary>The number of bytes that were written.</summary>
    public long Written { get; private set; }

    public override bool CanGetUnflushedBytes => pipe.CanGetUnflushedBytes;

    public override long UnflushedBytes => pipe.UnflushedBytes;

    /// <summary>Ends the body with an error. What is written later is dropped, as on a connection that is gone.</summary>
    public void Break(Exception error)
    {
        _isBroken = true;
        pipe.Complete(error);
    }

    public override void Advance(int bytes)
    {
        if (_isBroken) return;
        pipe.Advance(bytes);
        Written += bytes;
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (!_isBroken) return pipe.GetMemory(sizeHint);
        if (_dropped is null || _dropped.Length < sizeHint) _dropped = new byte[Math.Max(sizeHint, 4096)];
        return _dropped;
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void CancelPendingFlush() => pipe.CancelPendingFlush();

    // The end of the run completes the pipe, so that trailers and errors reach the readers.
    public override void Complete(Exception? exception = null)
    {
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_isBroken) return new FlushResult(isCanceled: false, isCompleted: true);
        await start(cancellationToken).ConfigureAwait(false);
        return await pipe.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
