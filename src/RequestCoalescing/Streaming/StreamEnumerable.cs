using System.Runtime.CompilerServices;

namespace RequestCoalescing.Streaming;

/// <summary>What a caller of <c>ExecuteStreamAsync</c> gets. Each enumeration is a caller of its own.</summary>
internal sealed class StreamEnumerable<TKey, T>(StreamRequest<TKey, T> request) : IAsyncEnumerable<T>
    where TKey : notnull
{
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) => new Enumerator(request, cancellationToken);

    private sealed class Enumerator : IAsyncEnumerator<T>
    {
        private readonly CancellationTokenSource? _both;
        private readonly CancellationToken _cancellationToken;
        private readonly CancellationToken _ofEnumeration;
        private readonly CancellationToken _ofCall;
        private readonly StreamReader<TKey, T> _reader;
        private T _current = default!;

        public Enumerator(StreamRequest<TKey, T> request, CancellationToken cancellationToken)
        {
            _ofEnumeration = cancellationToken;
            _ofCall = request.CancellationToken;
            if (!cancellationToken.CanBeCanceled) cancellationToken = request.CancellationToken;
            else if (request.CancellationToken.CanBeCanceled && cancellationToken != request.CancellationToken)
            {
                _both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, request.CancellationToken);
                cancellationToken = _both.Token;
            }

            _cancellationToken = cancellationToken;
            _reader = new StreamReader<TKey, T>(request with { CancellationToken = cancellationToken });
        }

        public T Current => _current;

        public ValueTask<bool> MoveNextAsync() =>
            !_cancellationToken.IsCancellationRequested && _reader.TryRead(out _current) ? new ValueTask<bool>(true) : MoveSlowlyAsync();

        public ValueTask DisposeAsync()
        {
            _reader.Dispose();
            _both?.Dispose();
            return default;
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<bool> MoveSlowlyAsync()
        {
            try
            {
                while (await _reader.WaitAsync().ConfigureAwait(false))
                {
                    if (_reader.TryRead(out _current)) return true;
                }

                return false;
            }
            catch (OperationCanceledException cancellation) when (_both is not null && cancellation.CancellationToken == _cancellationToken)
            {
                throw new OperationCanceledException(cancellation.Message, cancellation, _ofCall.IsCancellationRequested ? _ofCall : _ofEnumeration);
            }
        }
    }
}
