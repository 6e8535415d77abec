namespace RequestCoalescing.Streaming;

/// <summary>The bytes of a flight as one caller reads them.</summary>
internal sealed class ByteStream<TKey>(StreamReader<TKey, byte> reader) : ReadOnlyStream
    where TKey : notnull
{
    private Task<bool>? _wait; // goes on if a read that waits for it is cancelled

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (buffer.Length > 0)
        {
            if (_wait is null && reader.Read(buffer.Span) is > 0 and var count) return count;
            var mayRead = await (_wait ??= reader.WaitAsync().AsTask()).WaitAsync(cancellationToken).ConfigureAwait(false);
            _wait = null;
            if (!mayRead) break;
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) reader.Dispose();
        base.Dispose(disposing);
    }
}
