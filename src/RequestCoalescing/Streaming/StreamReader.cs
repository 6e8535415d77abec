using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace RequestCoalescing.Streaming;

/// <summary>One caller of a stream: its subscription to the flight, and its place in the flight's buffer.</summary>
/// <remarks>One read at a time.</remarks>
internal sealed class StreamReader<TKey, T>(StreamRequest<TKey, T> request) : IDisposable
    where TKey : notnull
{
    private const int MaxLags = 3;

    private readonly StreamTable<TKey, T> _table = StreamTable<TKey, T>.Of(request.Singleflight);
    private StreamSubscription<TKey, T>? _subscription;
    private SharedStream<T>? _stream;
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
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        while (true)
        {
            // If the flight that was current before the join is still current after it, it is the one that was joined.
            var before = _table.Find(request.Key);
            var subscription = new StreamSubscription<TKey, T>(
                request.Singleflight,
                request.Key,
                new StreamCall<TKey, T>(_table, request.Key, request.Open, request.Shape, request.Options.MaxIdle),
                request.CancellationToken);
            (var old, _subscription) = (_subscription, subscription);
            old?.Leave(); // not before, because a flight that loses its last subscriber is cancelled
            if (await FindJoinedAsync(before, subscription).ConfigureAwait(false) is not { } stream) continue;
            if (stream.Buffer.TryJoin(out var place))
            {
                Take(stream, place, subscription);
                return;
            }

            stream.CloseToJoiners(); // so that the next attempt starts a new flight
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
            request.CancellationToken.ThrowIfCancellationRequested();
            if (_place is null) await JoinAsync().ConfigureAwait(false);
            else if (!await MayReadAsync(_place, _stream!, _subscription!).ConfigureAwait(false)) return !(_isOver = true);
            return true;
        }
        catch
        {
            _isOver = true;
            throw;
        }
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _place?.Leave();
        _subscription?.Leave();
    }

    private async ValueTask<bool> MayReadAsync(FanOutReader<T> place, SharedStream<T> stream, StreamSubscription<TKey, T> subscription)
    {
        if (place.IsCutOff)
        {
            if (request.Options.OnLag == StreamLagBehavior.Fail || ++_lags > MaxLags) throw new StreamLagException(stream.Buffer.MaxBuffered);
            await JoinAsync().ConfigureAwait(false);
            _toSkip = _read;
            return true;
        }

        if (_toSkip > 0 && Skip(place)) return true;

        var isAtEnd = stream.Buffer.IsAtEnd(place, out _);
        if (!isAtEnd && !subscription.Outcome.IsCompleted)
        {
            await place.WaitAsync().ConfigureAwait(false);
            return true;
        }

        if (stream.HasGoneElsewhere && await FollowAsync(stream, subscription).ConfigureAwait(false)) return true;

        // The end and the errors come from the flight, which is over for later callers by then. The items come first.
        await ((Task)subscription.Outcome).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (place.IsCutOff || stream.Buffer.HasNext(place)) return true;
        var end = await OutcomeAsync(subscription).ConfigureAwait(false);
        if (end.Cancellation is { } cancellation) ExceptionDispatchInfo.Throw(cancellation);
        return false;
    }

    // The subscribers may elect one among them, whose source starts in a flight that takes the place of the old one.
    private async ValueTask<bool> FollowAsync(SharedStream<T> from, StreamSubscription<TKey, T> subscription)
    {
        while (true)
        {
            var changed = _table.Changed;
            if (subscription.Outcome.IsCompleted) return false;
            if (subscription.Led is { } led && led != from && led.Buffer.TryJoin(out var place))
            {
                Take(led, place, subscription);
                return true;
            }

            if (_table.Find(request.Key) is { } next && next != from)
            {
                await JoinAsync().ConfigureAwait(false);
                return true;
            }

            await Task.WhenAny(changed, subscription.Outcome).ConfigureAwait(false);
        }
    }

    private void Take(SharedStream<T> stream, FanOutReader<T> place, StreamSubscription<TKey, T> subscription)
    {
        _place?.Leave();
        (_stream, _place) = (stream, place);
        subscription.Attach(place);
    }

    // Returns whether everything has been skipped.
    private bool Skip(FanOutReader<T> place)
    {
        var skipped = new T[256];
        int count;
        while (_toSkip > 0 && (count = place.Read(skipped.AsSpan(0, (int)Math.Min(_toSkip, skipped.Length)))) > 0) _toSkip -= count;
        return _toSkip == 0;
    }

    // Null if the joined flight is not known, and the table has a stream now that it did not have before.
    private async ValueTask<SharedStream<T>?> FindJoinedAsync(SharedStream<T>? before, StreamSubscription<TKey, T> subscription)
    {
        for (Task? changed = null; ; changed = _table.Changed)
        {
            if (subscription.Led is { } led) return led;
            if (before is { IsCurrent: true }) return before;
            if (subscription.Outcome.IsCompleted) return (await OutcomeAsync(subscription).ConfigureAwait(false)).Stream;
            if (_table.Find(request.Key) is not null) return null;
            if (changed is not null) await Task.WhenAny(changed, subscription.Outcome).ConfigureAwait(false); // the first look is for the usual case
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
            throw new OperationCanceledException(cancellation.Message, cancellation, request.CancellationToken);
        }
    }
}
