using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace RequestCoalescing.Streaming;

/// <summary>One caller of a stream: its subscription to the flight, and its place in the flight's buffer.</summary>
/// <remarks>One read at a time.</remarks>
internal sealed class StreamReader<TKey, T>(StreamRequest<TKey, T> request) : IDisposable
    where TKey : notnull
{
    private const int MaxLags = 3;

    private StreamSubscription<TKey, T>? _subscription;
    private FanOut<T>? _buffer;
    private FanOutReader<T>? _place;
    private long _read;
    private long _toSkip; // after a lag, the items that the caller has had come again
    private int _lags;
    private bool _isOver;
    private bool _isDisposed;

    /// <summary>Takes the next item, if it is there. Not for bytes, whose memory is used again.</summary>
    public bool TryRead(out T item)
    {
        if (_toSkip == 0 && _place is { } place && place.TryRead(out item))
        {
            _read++;
            return true;
        }

        item = default!;
        return false;
    }

    /// <summary>Copies the items that are there.</summary>
    public int Read(Span<T> destination)
    {
        var count = _toSkip == 0 && _place is { } place ? place.Read(destination) : 0;
        _read += count;
        return count;
    }

    /// <summary>Joins or starts the flight.</summary>
    public async ValueTask JoinAsync()
    {
        while (true)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var subscription = new StreamSubscription<TKey, T>(request);
            (var old, _subscription) = (_subscription, subscription);
            old?.Leave(); // not before, because a flight that loses its last subscriber is cancelled
            LeaveIfDisposed();
            var stream = await FindAsync(subscription).ConfigureAwait(false);
            if (TryTake(stream, subscription)) return;

            // The next attempt starts a new flight.
            stream.CloseToJoiners();
            if (stream.IsCurrent) request.Singleflight.Forget(request.Key); // a decorator has a flight of its own kind
        }
    }

    /// <summary>Waits until there may be something to read.</summary>
    /// <returns>False at the end.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> WaitAsync()
    {
        if (_isOver) return false;
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            request.ThrowIfCancelled();
            if (_place is null) await JoinAsync().ConfigureAwait(false);
            else if (!await MayReadAsync(_place, _buffer!, _subscription!).ConfigureAwait(false))
            {
                request.ThrowIfCancelled(); // a caller that has just left has lost its place, which looks like the end
                ObjectDisposedException.ThrowIf(_isDisposed, this);
                _isOver = true;
            }
        }
        catch
        {
            _isOver = true;
            throw;
        }
        finally
        {
            if (_isOver) Dispose(); // nothing comes after the end or an error
        }

        return !_isOver;
    }

    public void Dispose()
    {
        _isDisposed = true;
        LeaveIfDisposed();
    }

    // Another thread may dispose of this while a read joins a flight. Whichever comes last sees what the other has done.
    private void LeaveIfDisposed()
    {
        Interlocked.MemoryBarrier();
        if (!_isDisposed) return;
        _place?.Leave();
        _subscription?.Leave();
    }

    private async ValueTask<bool> MayReadAsync(FanOutReader<T> place, FanOut<T> buffer, StreamSubscription<TKey, T> subscription)
    {
        if (place.IsCutOff)
        {
            if (request.Options.OnLag == StreamLagBehavior.Fail || ++_lags > MaxLags) throw new StreamLagException(buffer.MaxBuffered);
            await JoinAsync().ConfigureAwait(false);
            _toSkip = _read;
            return true;
        }

        if (_toSkip > 0 && Skip(place)) return true;

        var changed = subscription.Changed;
        var isOver = subscription.Outcome.IsCompleted;
        var stream = subscription.Stream;
        var isAtEnd = buffer.IsAtEnd(place, out var error);
        if (!isOver && stream?.Buffer == buffer)
        {
            // The end and the errors come from the flight, which is over for later callers by then.
            if (isAtEnd) await changed.ConfigureAwait(false);
            else await place.WaitAsync().ConfigureAwait(false);
            return true;
        }

        if (place.IsCutOff || buffer.HasNext(place)) return true; // the items come first
        if (!isOver && stream is null)
        {
            await changed.ConfigureAwait(false);
            return true;
        }

        var end = isOver ? await OutcomeAsync(subscription).ConfigureAwait(false) : null;
        stream = end?.Stream ?? stream!;
        if (stream.Buffer == buffer) return EndWith(end?.Cancellation);
        if (place.Position == 0 && TryTake(stream, subscription)) return true;
        return EndWith(isAtEnd ? error : new InvalidOperationException("A decorator has let the call join another flight than the one that it has read."));
    }

    private static bool EndWith(Exception? error)
    {
        if (error is not null) ExceptionDispatchInfo.Throw(error);
        return false;
    }

    private bool TryTake(SharedStream<T> stream, StreamSubscription<TKey, T> subscription)
    {
        if (!stream.Buffer.TryJoin(out var place)) return false;
        _place?.Leave();
        (_buffer, _place) = (stream.Buffer, place);
        subscription.Attach(place);
        LeaveIfDisposed();
        return true;
    }

    // Returns whether everything has been skipped.
    private bool Skip(FanOutReader<T> place)
    {
        var skipped = new T[256];
        int count;
        while (_toSkip > 0 && (count = place.Read(skipped.AsSpan(0, (int)Math.Min(_toSkip, skipped.Length)))) > 0) _toSkip -= count;
        return _toSkip == 0;
    }

    // The flight may fail before its source begins, and a decorator may hide which flight the call has joined.
    private async ValueTask<SharedStream<T>> FindAsync(StreamSubscription<TKey, T> subscription)
    {
        while (true)
        {
            var changed = subscription.Changed;
            var isOver = subscription.Outcome.IsCompleted;
            request.ThrowIfCancelled();
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (subscription.Stream is { } stream) return stream;
            if (isOver) return (await OutcomeAsync(subscription).ConfigureAwait(false)).Stream;
            await changed.ConfigureAwait(false);
        }
    }

    private async ValueTask<StreamEnd<T>> OutcomeAsync(StreamSubscription<TKey, T> subscription)
    {
        try
        {
            return await subscription.Outcome.ConfigureAwait(false);
        }
        catch (OperationCanceledException cancellation) when (subscription.IsLeave(cancellation))
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            throw new OperationCanceledException(cancellation.Message, cancellation, request.Cancelled);
        }
    }
}
