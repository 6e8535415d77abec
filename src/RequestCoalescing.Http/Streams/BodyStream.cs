using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Streams;

/// <summary>The body of a shared response as one subscriber reads it.</summary>
internal sealed class BodyStream(BodyReader reader) : ReadOnlyStream
{
    /// <summary>Called when the end has been read.</summary>
    public Action? AtEnd { get; set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (count == 0 && buffer.Length > 0) AtEnd?.Invoke();
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) reader.Dispose();
        base.Dispose(disposing);
    }
}
