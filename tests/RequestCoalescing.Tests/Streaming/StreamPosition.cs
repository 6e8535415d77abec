namespace RequestCoalescing.Tests.Streaming;

/// <summary>A reader that asks for one item at a time, and checks that it misses none.</summary>
internal sealed class StreamPosition
{
    private readonly IAsyncEnumerator<int> _items;
    private Task<bool>? _next;
    private int _read;
    private bool _hasLagged;

    public StreamPosition(IAsyncEnumerable<int> stream)
    {
        _items = stream.GetAsyncEnumerator();
        Ask();
    }

    public void Ask() => _next ??= _hasLagged ? null : _items.MoveNextAsync().AsTask();

    /// <summary>Takes an item that has come.</summary>
    public void Look(int maxBuffered, int yielded)
    {
        if (_next is not { IsCompleted: true } next) return;
        _next = null;
        if (next.Exception?.InnerException is StreamLagException)
        {
            _hasLagged = true;
            Assert.True(yielded - _read > maxBuffered / 2, $"A reader at {_read} of {yielded} was cut off, with a buffer of {maxBuffered}.");
            return;
        }

        Assert.True(next.GetAwaiter().GetResult());
        Assert.Equal(_read++, _items.Current);
    }
}
