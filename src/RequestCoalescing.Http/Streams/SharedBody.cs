using System.Diagnostics.CodeAnalysis;
using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Streams;

/// <summary>
/// A body that is read from its origin once, and by each subscriber at its own pace, out of a <see cref="FanOut{T}"/>.
/// </summary>
/// <remarks>
/// <para>The origin is read while one of the readers keeps up. A reader that lags further behind than the buffer is long is cut off, and gets an error
/// of its own.</para>
/// <para>A subscriber can join while the beginning is in memory: until all expected subscribers have joined and more than the read-ahead has
/// arrived.</para>
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has no handle, and its timer is off at the end.")]
internal sealed class SharedBody
{
    private const long MostAhead = 1024 * 1024;

    // A subscriber that left in the moment that the headers arrived never joins.
    private static readonly TimeSpan s_maxJoin = TimeSpan.FromSeconds(5);

    private readonly FanOut<byte> _buffer;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _maxIdle;
    private readonly long _readAhead;
    private readonly int _expected;
    private readonly CancellationTokenSource _stop; // fires when the last subscriber has left, or the origin is idle for too long
    private readonly TaskCompletionSource _allJoined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long? _length;
    private int _joined;
    private volatile bool _isAborted;
    private volatile bool _hasArrived;

    /// <param name="budget">Counts the bytes in memory.</param>
    /// <param name="maxBuffered">The bytes that this body may keep in memory.</param>
    /// <param name="maxIdle">How long the origin may send nothing.</param>
    /// <param name="expected">The number of subscribers that will join.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="length">The length that the headers announce. Null if it is not known.</param>
    public SharedBody(BufferBudget budget, long maxBuffered, TimeSpan maxIdle, int expected, TimeProvider clock, long? length = null)
    {
        (_maxIdle, _expected, _clock, _length, _hasArrived) = (maxIdle, expected, clock, length, length == 0);
        _readAhead = Math.Min(MostAhead, maxBuffered / 4);
        _buffer = new FanOut<byte>(new FanOutShape { MaxBuffered = maxBuffered, ReadAhead = _readAhead, FirstSegment = 4 * 1024, OtherSegments = 32 * 1024 }, budget);
        if (expected == 0) _allJoined.SetResult();
        _stop = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
    }

    private bool HaveAllJoined => Volatile.Read(ref _joined) >= _expected;

    /// <summary>Whether all of it has arrived, so that a subscriber may have read it to its end. A caller that comes now must not get a body that was complete before its call.</summary>
    public bool HasArrived => _hasArrived;

    /// <summary>Joins a subscriber at the beginning of the body.</summary>
    /// <param name="isExpected">Whether it is one of the expected subscribers.</param>
    /// <param name="reader">Reads the body. Dispose of it when it is no longer needed.</param>
    /// <returns>False if the beginning is no longer in memory, or the last subscriber has left.</returns>
    public bool TryJoin(bool isExpected, [NotNullWhen(true)] out BodyReader? reader)
    {
        reader = _buffer.TryJoin(out var place) ? new BodyReader(this, place) : null;
        if (isExpected) CountJoined(1); // not before it has its place, because a body that all have left is aborted
        return reader is not null;
    }

    /// <summary>An expected subscriber does not need the body.</summary>
    public void Decline()
    {
        CountJoined(1);
        AbortIfUnread();
    }

    /// <summary>
    /// Waits for the expected subscribers, at most 5 seconds, and for the end of the origin. Then no subscriber joins any more, and those that have joined free what they
    /// leave.
    /// </summary>
    public async Task CloseAsync()
    {
        await _allJoined.Task.WaitAsync(_maxIdle < s_maxJoin ? _maxIdle : s_maxJoin, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        CountJoined(_expected);
        AbortIfUnread();
        await _end.Task.ConfigureAwait(false);
        _buffer.Close();
    }

    /// <summary>Reads the body from its origin until its end, an error, or until the last subscriber has left.</summary>
    public async Task FillAsync(Stream origin)
    {
        try
        {
            while (true)
            {
                var read = origin.ReadAsync(await GetRoomAsync().ConfigureAwait(false), _stop.Token);
                var mustWait = !read.IsCompleted;
                if (mustWait) _stop.CancelAfter(_maxIdle);
                var count = await read.ConfigureAwait(false);
                if (mustWait) _stop.CancelAfter(Timeout.InfiniteTimeSpan);
                if (count == 0) break;
                if (_buffer.Received + count >= _length) _hasArrived = true; // before a subscriber has the last byte
                _buffer.Add(count);
                if (_buffer.Received > _readAhead && HaveAllJoined) _buffer.Close();
            }

            End(error: null);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested && !_isAborted)
        {
            End(new TimeoutException($"The origin has sent nothing for {_maxIdle}."));
        }
        catch (Exception error)
        {
            End(error);
        }
    }

    internal async ValueTask<int> ReadAsync(FanOutReader<byte> reader, Memory<byte> destination, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (reader.IsCutOff) throw new SharedBodyLagException(_buffer.MaxBuffered);
            ObjectDisposedException.ThrowIf(reader.HasLeft, reader);
            if (destination.Length == 0) return 0;
            var count = reader.Read(destination.Span);
            ObjectDisposedException.ThrowIf(reader.HasLeft, reader); // by another thread, while the bytes were copied
            if (count > 0) return count;
            if (_buffer.IsAtEnd(reader, out var error)) return error is null ? 0 : throw new HttpIOException(HttpRequestError.ResponseEnded, "The origin has ended the response before its end.", error);
            cancellationToken.ThrowIfCancellationRequested();
            using (cancellationToken.UnsafeRegister(static reader => ((FanOutReader<byte>)reader!).Wake(), reader))
            {
                await reader.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    internal void Leave(FanOutReader<byte> reader)
    {
        reader.Leave();
        AbortIfUnread();
    }

    // Returns the place that the next bytes go to.
    private async ValueTask<Memory<byte>> GetRoomAsync()
    {
        long? fullSince = null;
        while (true)
        {
            _stop.Token.ThrowIfCancellationRequested();
            var room = _buffer.TryGetRoom(out var memory, out var wait);
            if (room == Room.Given) return memory;
            var patience = _maxIdle;
            if (room == Room.AwaitsReaders)
            {
                fullSince = null;
            }
            else
            {
                fullSince ??= _clock.GetTimestamp();
                patience -= _clock.GetElapsedTime(fullSince.Value);
                if (patience < TimeSpan.Zero) patience = TimeSpan.Zero;
            }

            await wait.WaitAsync(patience, _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (wait.IsCompleted) continue;
            _stop.Token.ThrowIfCancellationRequested();
            if (fullSince is not null) throw new IOException($"The bodies of other responses have filled the buffer for {_maxIdle}.");
            if (_buffer.IsEmpty) throw new TimeoutException($"No subscriber has read the response for {_maxIdle}."); // those that were expected have not come
        }
    }

    private void End(Exception? error)
    {
        _hasArrived = true;
        _buffer.End(error);
        _end.TrySetResult();
    }

    private void CountJoined(int count)
    {
        if (Interlocked.Add(ref _joined, count) >= _expected) _allJoined.TrySetResult();
    }

    private void AbortIfUnread()
    {
        if (!HaveAllJoined || !_buffer.CloseIfEmpty() || _end.Task.IsCompleted) return;
        _isAborted = true;
        _stop.Cancel();
    }
}
