using System.Diagnostics.CodeAnalysis;

namespace RequestCoalescing.Streaming;

/// <summary>
/// The items of a source, read by many readers at their own pace. They are kept in parts until all readers have passed them, and until no reader can join
/// at the beginning any more.
/// </summary>
/// <remarks>
/// <para>The source goes on while one reader keeps up. A reader that lags further behind than the buffer is long is cut off, and so slows down neither
/// the source nor the other readers. If the buffer waits for the slowest reader, it cuts off none.</para>
/// <para>Nothing of others runs under the gate.</para>
/// </remarks>
internal sealed partial class FanOut<T>(FanOutShape shape, IBufferBudget? budget = null)
{
    private readonly Lock _gate = new();
    private readonly HashSet<FanOutReader<T>> _readers = [];
    private Segment<T>? _head;
    private Segment<T>? _tail;
    private long _start; // the position of the first item in memory
    private long _received;
    private long _fastest; // some reader has come that far
    private bool _isOpen = true;
    private bool _hasEnded;
    private Exception? _error;
    private List<FanOutReader<T>> _waiting = []; // some may wait no more
    private List<FanOutReader<T>>? _spare;
    private TaskCompletionSource? _demand; // the source waits for it

    public long MaxBuffered => shape.MaxBuffered;

    /// <summary>How many items have arrived.</summary>
    public long Received => Volatile.Read(ref _received);

    /// <summary>Joins a reader at the beginning.</summary>
    /// <returns>False if the beginning is no longer in memory, or no reader may join any more.</returns>
    public bool TryJoin([NotNullWhen(true)] out FanOutReader<T>? reader)
    {
        lock (_gate)
        {
            reader = _isOpen ? new FanOutReader<T>(this, _head) : null;
            if (reader is null) return false;
            _readers.Add(reader);
            if (_head is not null) _head.Readers++;
            return true;
        }
    }

    /// <summary>Lets no reader join any more, and frees the parts that all readers have passed.</summary>
    public void Close()
    {
        TaskCompletionSource? demand;
        lock (_gate)
        {
            _isOpen = false;
            Trim();
            FreeIfUnused();
            demand = TakeDemand();
        }

        demand?.SetResult();
    }

    /// <summary>As <see cref="Close"/>, if no reader has a place.</summary>
    /// <returns>Whether no reader has one, nor can get one any more.</returns>
    public bool CloseIfEmpty()
    {
        lock (_gate)
        {
            if (_readers.Count > 0) return false;
            _isOpen = false;
            Trim();
            FreeIfUnused();
            return true;
        }
    }

    /// <summary>A reader gives up its place.</summary>
    public void Leave(FanOutReader<T> reader)
    {
        TaskCompletionSource? demand;
        lock (_gate)
        {
            reader.HasLeft = true;
            if (_readers.Remove(reader)) TakeOut(reader);
            if (IsListed(reader)) Unlist(reader);
            Trim();
            FreeIfUnused();
            demand = shape.WaitsForSlowest || _readers.Count == 0 ? TakeDemand() : null; // otherwise the source waits for those that go on
        }

        demand?.SetResult();
        reader.Poke(); // a read that waits ends
    }

    /// <summary>Whether the source has ended, and the reader has read everything.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="error">The error that the source has ended with. Null for none.</param>
    public bool IsAtEnd(FanOutReader<T> reader, out Exception? error)
    {
        lock (_gate)
        {
            error = _error;
            return _hasEnded && reader.Position == _received;
        }
    }

    /// <summary>Whether a reader can read now.</summary>
    public bool HasNext(FanOutReader<T> reader)
    {
        lock (_gate) return IsThere(reader);
    }

    /// <summary>Moves a reader to the next part, if it has read the current one.</summary>
    /// <returns>Whether an item is there.</returns>
    internal bool TryMove(FanOutReader<T> reader)
    {
        TaskCompletionSource? demand = null;
        bool isThere;
        lock (_gate)
        {
            if (reader.Segment is { Next: { } next } read && reader.Offset == read.Size)
            {
                Move(reader, next);
                Trim();
                demand = DemandAfter(reader);
            }

            isThere = reader.Segment is { } segment && reader.Offset < segment.Count;
        }

        demand?.SetResult();
        return isThere;
    }

    internal bool TryBeginCopy(FanOutReader<T> reader, [NotNullWhen(true)] out Segment<T>? segment, out int count)
    {
        lock (_gate)
        {
            if (reader.Segment is { Next: { } next } read && reader.Offset == read.Size)
            {
                Move(reader, next);
                Trim();
            }

            segment = reader.Segment;
            count = segment is null ? 0 : segment.Count - reader.Offset;
            reader.IsCopying = count > 0;
            return count > 0;
        }
    }

    internal void EndCopy(FanOutReader<T> reader, int count)
    {
        TaskCompletionSource? demand;
        lock (_gate)
        {
            reader.IsCopying = false;
            reader.Offset += count;
            if (reader.Segment is { Next: { } next } read && reader.Offset == read.Size)
            {
                Move(reader, next);
                Trim();
            }

            demand = DemandAfter(reader);
        }

        demand?.SetResult();
    }

    /// <summary>Puts a reader on the list of those that wait, unless there is something for it to see.</summary>
    internal bool TryWait(FanOutReader<T> reader)
    {
        TaskCompletionSource? demand;
        lock (_gate)
        {
            if (IsThere(reader) || _hasEnded || reader.IsCutOff) return false;
            if (!IsListed(reader))
            {
                reader.ListedAt = _waiting.Count;
                _waiting.Add(reader);
            }

            demand = DemandAfter(reader);
        }

        demand?.SetResult();
        return true;
    }

    private static bool IsThere(FanOutReader<T> reader) => reader.Segment is { } segment && (reader.Offset < segment.Count || segment.Next is not null);

    private static void Move(FanOutReader<T> reader, Segment<T> to)
    {
        if (reader.Segment is { } from) from.Readers--;
        to.Readers++;
        reader.Offset = 0;
        reader.Segment = to;
    }

    // It is no longer among the readers.
    private static void TakeOut(FanOutReader<T> reader)
    {
        if (reader.Segment is not { } segment) return;
        segment.Readers--;
        if (reader.IsCopying) segment.Keep();
        reader.Segment = null;
    }

    // Asks no other reader where it is, because each comes here itself after a part.
    private TaskCompletionSource? DemandAfter(FanOutReader<T> reader)
    {
        if (_demand is null) return null;
        _fastest = Math.Max(_fastest, reader.Position);
        return (shape.WaitsForSlowest ? HasDemand() : IsNear(_fastest)) ? TakeDemand() : null;
    }

    private bool IsListed(FanOutReader<T> reader) => reader.ListedAt < _waiting.Count && _waiting[reader.ListedAt] == reader;

    private void Unlist(FanOutReader<T> reader)
    {
        var last = _waiting[^1];
        (_waiting[reader.ListedAt], last.ListedAt) = (last, reader.ListedAt);
        _waiting.RemoveAt(_waiting.Count - 1);
    }

    private TaskCompletionSource? TakeDemand()
    {
        var demand = _demand;
        _demand = null;
        return demand;
    }

    private void Trim()
    {
        while (!_isOpen && _head is { Readers: 0, Next: { } next } read)
        {
            _start += read.Count;
            _head = next;
            Free(read);
        }
    }

    private void Free(Segment<T> segment)
    {
        segment.Free();
        budget?.GiveBack(segment.Size);
    }

    private void FreeIfUnused()
    {
        if (!_hasEnded || _isOpen || _readers.Count > 0) return;
        for (; _head is { } segment; _head = segment.Next) Free(segment);
        _tail = null;
    }
}
