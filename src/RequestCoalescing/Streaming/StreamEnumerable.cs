using System.Runtime.CompilerServices;

namespace RequestCoalescing.Streaming;

/// <summary>What a caller of <c>ExecuteStreamAsync</c> gets. Each enumeration is a caller of its own.</summary>
internal sealed class StreamEnumerable<TKey, T>(StreamRequest<TKey, T> request) : IAsyncEnumerable<T>
    where TKey : notnull
{
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) => new Enumerator(request with { OfEnumeration = cancellationToken });

    private sealed class Enumerator : IAsyncEnumerator<T>
    {
        private readonly StreamRequest<TKey, T> _request;
        private readonly StreamReader<TKey, T> _reader;
        private T _current = default!;

        public Enumerator(StreamRequest<TKey, T> request)
        {
            _request = request;
            _reader = new StreamReader<TKey, T>(request);
        }

        public T Current => _current;

        public ValueTask<bool> MoveNextAsync() =>
            !_request.IsCancelled && _reader.TryRead(out _current) ? new ValueTask<bool>(true) : MoveSlowlyAsync();

        public ValueTask DisposeAsync()
        {
            _reader.Dispose();
            return default;
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<bool> MoveSlowlyAsync()
        {
            while (await _reader.WaitAsync().ConfigureAwait(false))
            {
                if (_reader.TryRead(out _current)) return true;
            }

            return false;
        }
    }
}
