using System.Buffers;
using System.IO.Pipelines;
using RequestCoalescing.Streaming;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The body of a run, as it is read. An error comes after the bytes before it.</summary>
internal sealed class FlightBodyStream(PipeReader pipe) : ReadOnlyStream
{
    private volatile Exception? _error;

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

    protected override void Dispose(bool disposing)
    {
        if (disposing) pipe.Complete();
        base.Dispose(disposing);
    }
}
