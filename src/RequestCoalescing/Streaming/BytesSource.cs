namespace RequestCoalescing.Streaming;

/// <summary>The bytes of a stream.</summary>
internal sealed class BytesSource(Stream bytes) : StreamSource<byte>
{
    public override ValueTask<int> ReadAsync(Memory<byte> room, CancellationToken cancellationToken) => bytes.ReadAsync(room, cancellationToken);

    public override ValueTask DisposeAsync() => bytes.DisposeAsync();
}
