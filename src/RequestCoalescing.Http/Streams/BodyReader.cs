using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Streams;

/// <summary>One subscriber's reading of a <see cref="SharedBody"/>. One read at a time.</summary>
internal sealed class BodyReader(SharedBody body, FanOutReader<byte> place) : IDisposable
{
    private Exception? _error;
    private bool _hasEnded;
    private volatile bool _isDisposed;

    /// <returns>The number of bytes that have been read. 0 at the end of the body.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_error is not null) throw _error;
        if (_hasEnded) return 0;
        try
        {
            var count = await body.ReadAsync(place, destination, cancellationToken).ConfigureAwait(false);
            if (count > 0 || destination.Length == 0) return count;
            _hasEnded = true;
        }
        catch (IOException error)
        {
            _error = error;
        }

        body.Leave(place); // what it has read is free, even if the response is not disposed of
        return _error is null ? 0 : throw _error;
    }

    public void Dispose()
    {
        _isDisposed = true;
        body.Leave(place);
    }
}
