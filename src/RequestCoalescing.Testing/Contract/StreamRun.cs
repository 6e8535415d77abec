using System.Threading.Channels;

namespace RequestCoalescing.Testing;

/// <summary>One run of a <see cref="StreamBackend{T}"/>.</summary>
/// <typeparam name="T">The type of the items.</typeparam>
/// <remarks>All members are safe to call from any number of threads at once.</remarks>
public sealed class StreamRun<T>
{
    private readonly Channel<T> _items = Channel.CreateUnbounded<T>();
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;

    private readonly CancellationToken _stop;

    internal StreamRun(bool isStubborn, CancellationToken cancellationToken) => (Token, _stop) = (cancellationToken, isStubborn ? CancellationToken.None : cancellationToken);

    /// <summary>The token that the flight gave to its source.</summary>
    public CancellationToken Token { get; }

    /// <summary>How many items the flight has taken.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Yields items.</summary>
    /// <param name="items">The items.</param>
    public void Yield(params IEnumerable<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        foreach (var item in items) _items.Writer.TryWrite(item); // an unbounded channel takes everything
    }

    /// <summary>Ends the run after its last item.</summary>
    public void End() => _items.Writer.TryComplete();

    /// <summary>Ends the run with an error after its last item.</summary>
    /// <param name="exception">The error.</param>
    public void Fail(Exception exception) => _items.Writer.TryComplete(exception);

    /// <summary>Waits until the flight has disposed of the run.</summary>
    /// <returns>Completes when the run is disposed of.</returns>
    /// <exception cref="TimeoutException">It was not disposed of within <see cref="Patience.Limit"/>.</exception>
    public Task DisposedAsync() => _disposed.Task.SoonAsync();

    internal async IAsyncEnumerable<T> ReadAsync()
    {
        try
        {
            while (await _items.Reader.WaitToReadAsync(_stop).ConfigureAwait(false))
            {
                while (_items.Reader.TryRead(out var item))
                {
                    Interlocked.Increment(ref _taken);
                    yield return item;
                }
            }
        }
        finally
        {
            _disposed.TrySetResult();
        }
    }
}
