using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Streaming;

/// <summary>The place of one reader in a <see cref="FanOut{T}"/>, whose gate guards the fields. One read at a time; <see cref="Poke"/> and <see cref="Leave"/> at any time.</summary>
internal sealed class FanOutReader<T>(FanOut<T> buffer, Segment<T>? first) : IValueTaskSource
{
    // A woken reader continues on the thread pool, never on the thread of the source.
    private ManualResetValueTaskSourceCore<bool> _news = new() { RunContinuationsAsynchronously = true };
    private Segment<T>? _segment = first;
    private int _offset;
    private int _isWaiting;
    private volatile bool _isPoked;

    /// <summary>The buffer that it reads.</summary>
    public FanOut<T> Buffer => buffer;

    /// <summary>The part with the next item. Null before the first item, and when the reader has no place any more.</summary>
    public Segment<T>? Segment
    {
        get => Volatile.Read(ref _segment);
        set => Volatile.Write(ref _segment, value);
    }

    /// <summary>The place of the next item in <see cref="Segment"/>.</summary>
    public int Offset
    {
        get => Volatile.Read(ref _offset);
        set => Volatile.Write(ref _offset, value);
    }

    /// <summary>The position of the next item, while the reader has a place. It may be too low while the reader reads without the gate.</summary>
    public long Position => Segment is { } segment ? segment.Start + Offset : 0;

    public bool IsCopying { get; set; }

    /// <summary>Whether the buffer has dropped the next item, because the reader was too slow.</summary>
    public bool IsCutOff { get; set; }

    public bool HasLeft { get; set; }

    /// <summary>Its place on the list of the readers that wait, if it is there.</summary>
    public int ListedAt { get; set; }

    /// <summary>Takes the next item, if there is one now.</summary>
    /// <remarks>It needs the gate for the first item of a part only.</remarks>
    public bool TryRead(out T item)
    {
        do
        {
            if (Segment is not { } segment || _offset >= segment.Count) continue;
            item = segment.Items[_offset];
            Offset = _offset + 1;
            return true;
        }
        while (buffer.TryMove(this));

        item = default!;
        return false;
    }

    /// <summary>Copies the items that are there now.</summary>
    /// <returns>The number of items. 0 if there is none now.</returns>
    public int Read(Span<T> destination)
    {
        if (!buffer.TryBeginCopy(this, out var segment, out var count)) return 0;
        count = Math.Min(count, destination.Length);
        segment.Items.AsSpan(Offset, count).CopyTo(destination);
        buffer.EndCopy(this, count);
        return count;
    }

    /// <summary>Waits until there is an item, the end, or a poke. The wait may be over early.</summary>
    /// <param name="cancellationToken">If it has fired, there is no wait. If it fires later, the caller calls <see cref="Wake"/>.</param>
    public ValueTask WaitAsync(CancellationToken cancellationToken = default)
    {
        _news.Reset();
        Volatile.Write(ref _isWaiting, 1);
        if (buffer.TryWait(this) && !_isPoked && !cancellationToken.IsCancellationRequested) return new ValueTask(this, _news.Version);
        if (Interlocked.Exchange(ref _isWaiting, 0) == 0) return new ValueTask(this, _news.Version); // woken at this moment
        return default;
    }

    /// <summary>Ends the reader's wait. Its later waits end at once.</summary>
    public void Poke()
    {
        _isPoked = true;
        Wake();
    }

    /// <summary>Ends the reader's wait.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _isWaiting, 0) == 1) _news.SetResult(true);
    }

    public void Leave() => buffer.Leave(this);

    void IValueTaskSource.GetResult(short token) => _news.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _news.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _news.OnCompleted(continuation, state, token, flags);
}
