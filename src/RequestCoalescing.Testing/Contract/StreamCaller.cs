namespace RequestCoalescing.Testing;

/// <summary>A caller of a stream in a test, which asks for one item after the other.</summary>
/// <typeparam name="T">The type of the items.</typeparam>
/// <remarks>One call at a time.</remarks>
public sealed class StreamCaller<T> : IAsyncDisposable
{
    private readonly IAsyncEnumerator<T> _items;

    /// <summary>Creates a caller. It asks for nothing yet.</summary>
    /// <param name="items">The stream.</param>
    /// <exception cref="ArgumentNullException"><paramref name="items"/> is null.</exception>
    public StreamCaller(IAsyncEnumerable<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        _items = items.GetAsyncEnumerator();
    }

    /// <summary>Asks for the next item.</summary>
    /// <returns>The item.</returns>
    /// <exception cref="InvalidOperationException">The stream is over.</exception>
    /// <exception cref="TimeoutException">Nothing came within <see cref="Patience.Limit"/>.</exception>
    public async Task<T> NextAsync() =>
        await _items.MoveNextAsync().AsTask().SoonAsync().ConfigureAwait(false) ? _items.Current : throw new InvalidOperationException("The stream is over.");

    /// <summary>Reads to the end, and leaves.</summary>
    /// <returns>The items.</returns>
    /// <exception cref="TimeoutException">Nothing came within <see cref="Patience.Limit"/>.</exception>
    public async Task<List<T>> RestAsync()
    {
        var items = new List<T>();
        while (await _items.MoveNextAsync().AsTask().SoonAsync().ConfigureAwait(false)) items.Add(_items.Current);
        await DisposeAsync().ConfigureAwait(false);
        return items;
    }

    /// <summary>Leaves the stream.</summary>
    /// <returns>Completes when the caller has left.</returns>
    public ValueTask DisposeAsync() => _items.DisposeAsync();
}
