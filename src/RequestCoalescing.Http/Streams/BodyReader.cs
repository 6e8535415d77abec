namespace RequestCoalescing.Http.Streams;

/// <summary>The place of one subscriber in a <see cref="SharedBody"/>, whose gate guards the fields. One read at a time.</summary>
internal sealed class BodyReader(SharedBody body, Segment? first) : IDisposable
{
    private SharedBodyLagException? _cutOff;

    public Segment? Segment { get; set; } = first;

    /// <summary>The place of the next byte in <see cref="Segment"/>.</summary>
    public int Offset { get; set; }

    /// <summary>The place of the next byte in the body.</summary>
    public long Position { get; set; }

    public bool IsCopying { get; set; }

    /// <summary>Lets the next read fail, because the bytes that it needs are no longer in memory.</summary>
    public void CutOff(long maxBuffered) => _cutOff = new SharedBodyLagException(maxBuffered);

    public void ThrowIfCutOff()
    {
        if (_cutOff is { } error) throw error;
    }

    /// <returns>The number of bytes that have been read. 0 at the end of the body.</returns>
    public ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken) => body.ReadAsync(this, destination, cancellationToken);

    public void Dispose() => body.Leave(this);
}
