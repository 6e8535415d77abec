using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Cluster;

/// <summary>A body whose beginning has been read already.</summary>
/// <param name="head">The beginning.</param>
/// <param name="rest">What follows.</param>
/// <param name="owner">Disposed of with this stream.</param>
internal sealed class PrefixedStream(byte[] head, Stream rest, IDisposable owner) : ReadOnlyStream
{
    private int _read;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_read == head.Length) return rest.ReadAsync(buffer, cancellationToken);
        var count = Math.Min(buffer.Length, head.Length - _read);
        head.AsSpan(_read, count).CopyTo(buffer.Span);
        _read += count;
        return new(count);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) owner.Dispose();
        base.Dispose(disposing);
    }
}
