namespace RequestCoalescing.Http.Streams;

/// <summary>The place of one subscriber in a <see cref="SharedBody"/>, whose gate guards the fields. One read at a time.</summary>
internal sealed class BodyReader(SharedBody body, Segment? first) : IDisposable
{
    private SharedBodyLagException? _cutOff;
    private Exception? _error;
    private bool _hasEnded;
    private volatile bool _isDisposed;

    public Segment? Segment { get; set; } = first;

    /// <summary>The place of the next byte in <see cref="Segment"/>.</summary>
    public int Offset { get; set; }

    /// <summary>The place of the next byte in the body.</summary>
    public long Position { get; set; }

    public bool IsCopying { get; set; }

    /// <summary>Whether it has no place in the body any more.</summary>
    public bool HasLeft { get; set; }

    /// <summary>Lets the next read fail, because the bytes that it needs are no longer in memory.</summary>
    public void CutOff(long maxBuffered) => _cutOff = new SharedBodyLagException(maxBuffered);

    public void ThrowIfCutOff()
    {
        if (_cutOff is { } error) throw error;
    }

    /// <returns>The number of bytes that have been read. 0 at the end of the body.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_error is not null) throw _error;
        if (_hasEnded) return 0;
        try
        {
            var count = await body.ReadAsync(this, destination, cancellationToken).ConfigureAwait(false);
            if (count > 0 || destination.Length == 0) return count;
            _hasEnded = true;
        }
        catch (IOException error)
        {
            _error = error;
        }

        body.Leave(this); // what it has read is free, even if the response is not disposed of
        return _error is null ? 0 : throw _error;
    }

    public void Dispose()
    {
        _isDisposed = true;
        body.Leave(this);
    }
}
