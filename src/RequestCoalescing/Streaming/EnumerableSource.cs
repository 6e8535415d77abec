namespace RequestCoalescing.Streaming;

/// <summary>The items of a sequence, each handed on as it comes.</summary>
internal sealed class EnumerableSource<T>(IAsyncEnumerator<T> items) : StreamSource<T>
{
    public override async ValueTask<int> ReadAsync(Memory<T> room, CancellationToken cancellationToken)
    {
        if (!await items.MoveNextAsync().ConfigureAwait(false)) return 0;
        room.Span[0] = items.Current;
        return 1;
    }

    public override ValueTask DisposeAsync() => items.DisposeAsync();
}
