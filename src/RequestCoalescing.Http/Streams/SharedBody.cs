using System.Diagnostics.CodeAnalysis;

namespace RequestCoalescing.Http.Streams;

/// <summary>
/// A body that is read from its origin once, and by each subscriber at its own pace. Its parts are in memory until all subscribers have read them, and
/// until no subscriber can join any more.
/// </summary>
/// <remarks>
/// <para>The origin is read while one of the readers keeps up. A reader that lags further behind than the buffer is long is cut off, and gets an error
/// of its own. So it slows down neither the origin nor the other readers.</para>
/// <para>A subscriber can join while the beginning is in memory: until all expected subscribers have joined and more than the read-ahead has
/// arrived.</para>
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has no handle, and its timer is off at the end.")]
internal sealed partial class SharedBody
{
    private const int FirstSegment = 4 * 1024;
    private const int OtherSegments = 32 * 1024;
    private const int MostAhead = 1024 * 1024;

    // A subscriber that left in the moment that the headers arrived never joins.
    private static readonly TimeSpan s_maxJoin = TimeSpan.FromSeconds(5);

    private readonly BufferBudget _budget;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _maxIdle;
    private readonly long _maxBuffered;
    private readonly long _readAhead;
    private readonly int _expected;
    private readonly Lock _gate = new();
    private readonly HashSet<BodyReader> _readers = [];
    private readonly CancellationTokenSource _stop; // fires when the last subscriber has left, or the origin is idle for too long
    private readonly TaskCompletionSource _allJoined = New();
    private readonly TaskCompletionSource _end = New();
    private Segment? _head;
    private Segment? _tail;
    private long _start; // the position of the first byte in memory
    private long _received;
    private int _joined;
    private bool _isOpen = true;
    private bool _isAborted;
    private bool _hasEnded;
    private Exception? _error;
    private TaskCompletionSource? _news; // what waiting readers wait for
    private TaskCompletionSource? _demand; // what the origin's reader waits for

    /// <param name="budget">Counts the bytes in memory.</param>
    /// <param name="maxBuffered">The bytes that this body may keep in memory.</param>
    /// <param name="maxIdle">How long the origin may send nothing.</param>
    /// <param name="expected">The number of subscribers that will join.</param>
    /// <param name="clock">The clock.</param>
    public SharedBody(BufferBudget budget, long maxBuffered, TimeSpan maxIdle, int expected, TimeProvider clock)
    {
        (_budget, _maxBuffered, _maxIdle, _expected, _clock) = (budget, maxBuffered, maxIdle, expected, clock);
        _readAhead = Math.Min(MostAhead, maxBuffered / 4);
        if (expected == 0) _allJoined.SetResult();
        _stop = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
    }

    /// <summary>Joins a subscriber at the beginning of the body.</summary>
    /// <param name="isExpected">Whether it is one of the expected subscribers.</param>
    /// <param name="reader">Reads the body. Dispose of it when it is no longer needed.</param>
    /// <returns>False if the beginning is no longer in memory, or the last subscriber has left.</returns>
    public bool TryJoin(bool isExpected, [NotNullWhen(true)] out BodyReader? reader)
    {
        lock (_gate)
        {
            if (isExpected) CountJoined();
            reader = _isOpen ? new BodyReader(this, _head) : null;
            if (reader is not null)
            {
                _readers.Add(reader);
                if (_head is not null) _head.Readers++;
                return true;
            }
        }

        return false;
    }

    /// <summary>An expected subscriber does not need the body.</summary>
    public void Decline()
    {
        lock (_gate) CountJoined();
        Leave(reader: null);
    }

    /// <summary>
    /// Waits for the expected subscribers, at most 5 seconds, and for the end of the origin. Then no subscriber joins any more, and those that have joined free what they
    /// leave.
    /// </summary>
    public async Task CloseAsync()
    {
        await _allJoined.Task.WaitAsync(_maxIdle < s_maxJoin ? _maxIdle : s_maxJoin, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate) _joined = Math.Max(_joined, _expected);
        Leave(reader: null);
        await _end.Task.ConfigureAwait(false);
        lock (_gate)
        {
            _isOpen = false;
            Trim();
        }
    }

    internal async ValueTask<int> ReadAsync(BodyReader reader, Memory<byte> destination, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task news;
            Segment? segment;
            var (count, offset) = (0, 0);
            lock (_gate)
            {
                reader.ThrowIfCutOff();
                ObjectDisposedException.ThrowIf(reader.HasLeft, reader);
                if (reader.Segment is { Next: { } next } read && reader.Offset == read.Length) Move(reader, next);
                (segment, offset) = (reader.Segment, reader.Offset);
                if (segment is not null && offset < segment.Length && destination.Length > 0)
                {
                    count = Math.Min(destination.Length, segment.Length - offset);
                    reader.IsCopying = true;
                }

                if (count == 0 && destination.Length > 0 && _hasEnded) return _error is null ? 0 : throw new HttpIOException(HttpRequestError.ResponseEnded, "The origin has ended the response before its end.", _error);
                if (count == 0 && destination.Length == 0) return 0;
                news = count > 0 ? Task.CompletedTask : (_news ??= New()).Task;
            }

            if (count > 0)
            {
                segment!.Bytes.AsSpan(offset, count).CopyTo(destination.Span);
                Advance(reader, count);
                return count;
            }

            await news.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    internal void Leave(BodyReader? reader)
    {
        var isLast = false;
        TaskCompletionSource? news = null;
        TaskCompletionSource? demand;
        lock (_gate)
        {
            if (reader is not null)
            {
                var isReader = _readers.Remove(reader); // unless it has been cut off
                if (reader.HasLeft || !isReader)
                {
                    reader.HasLeft = true;
                    return;
                }

                reader.HasLeft = true;
                if (reader.IsCopying) reader.Segment!.Keep(); // the stream is read and disposed of at once
                if (reader.Segment is { } segment) segment.Readers--;
                reader.Segment = null;
                (news, _news) = (_news, null); // a read that waits ends
            }

            Trim();
            if (_readers.Count == 0 && _joined >= _expected)
            {
                _isOpen = false;
                isLast = _isAborted = !_hasEnded;
            }

            FreeIfUnused();
            (demand, _demand) = (_demand, null);
        }

        news?.SetResult();
        demand?.SetResult();
        if (isLast) _stop.Cancel();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Move(BodyReader reader, Segment to)
    {
        if (reader.Segment is { } from) from.Readers--;
        to.Readers++;
        (reader.Segment, reader.Offset) = (to, 0);
    }

    private void Advance(BodyReader reader, int count)
    {
        TaskCompletionSource? demand;
        lock (_gate)
        {
            reader.IsCopying = false;
            reader.ThrowIfCutOff();
            ObjectDisposedException.ThrowIf(reader.HasLeft, reader);
            reader.Offset += count;
            reader.Position += count;
            if (reader.Segment is { Next: { } next } read && reader.Offset == read.Length)
            {
                Move(reader, next);
                Trim();
            }

            (demand, _demand) = (_demand, null);
        }

        demand?.SetResult();
    }

    // Cuts off the readers that have not reached a position.
    private void CutOff(long position)
    {
        if (position <= _start) return;
        _isOpen = false;
        foreach (var reader in _readers)
        {
            if (reader.Position >= position) continue;
            _readers.Remove(reader); // allowed while a set is enumerated
            if (reader.Segment is { } segment)
            {
                segment.Readers--;
                if (reader.IsCopying) segment.Keep();
            }

            reader.CutOff(_maxBuffered);
        }

        Trim();
        var news = _news;
        _news = null;
        news?.SetResult(); // continues elsewhere
    }

    private void Trim()
    {
        while (!_isOpen && _head is { Readers: 0, Next: { } next } read)
        {
            _start += read.Length;
            _head = next;
            Free(read);
        }
    }

    private void Free(Segment segment)
    {
        segment.Free();
        _budget.GiveBack(segment.Bytes.Length);
    }

    private void FreeIfUnused()
    {
        if (!_hasEnded || _isOpen || _readers.Count > 0) return;
        for (; _head is { } segment; _head = segment.Next) Free(segment);
        _tail = null;
    }

    // Called under the gate.
    private void CountJoined()
    {
        if (++_joined >= _expected) _allJoined.TrySetResult();
    }
}
