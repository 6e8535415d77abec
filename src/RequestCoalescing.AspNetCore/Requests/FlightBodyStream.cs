using System.Buffers;
using System.IO.Pipelines;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The body of a run, as it is read. An error comes after the bytes before it.</summary>
internal sealed class FlightBodyStream(PipeReader pipe) : Stream
{
    private volatile Exception? _error;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Ends the body with an error.</summary>
    public void Break(Exception error)
    {
        Interlocked.CompareExchange(ref _error, error, null);
        pipe.CancelPendingRead();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var result = await pipe.ReadAsync(cancellationToken).ConfigureAwait(false);
        var bytes = result.Buffer.Slice(0, Math.Min(buffer.Length, result.Buffer.Length));
        var count = (int)bytes.Length;
        bytes.CopyTo(buffer.Span);
        pipe.AdvanceTo(bytes.End);
        if (count == 0 && buffer.Length > 0 && _error is { } error) throw new IOException("The endpoint has broken its response off.", error);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) pipe.Complete();
        base.Dispose(disposing);
    }
}
