namespace RequestCoalescing.Streaming;

/// <summary>Yields the items of a flight, one run from the first to the last.</summary>
internal abstract class StreamSource<T> : IAsyncDisposable
{
    /// <returns>The number of items that are in <paramref name="room"/> now. 0 at the end.</returns>
    public abstract ValueTask<int> ReadAsync(Memory<T> room, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();
}
