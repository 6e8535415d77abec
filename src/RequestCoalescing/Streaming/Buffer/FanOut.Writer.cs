namespace RequestCoalescing.Streaming;

/// <content>The side of the source.</content>
internal sealed partial class FanOut<T>
{
    /// <summary>Returns the place for the next items.</summary>
    /// <param name="room">The place. <see cref="Add"/> says how many items it has got.</param>
    /// <param name="wait">What to wait for if there is no room. The wait may be over early.</param>
    public Room TryGetRoom(out Memory<T> room, out Task wait)
    {
        lock (_gate)
        {
            (room, wait) = (default, Task.CompletedTask);
            if (!HasDemand())
            {
                wait = (_demand ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                return Room.AwaitsReaders;
            }

            if (_tail is not { } tail || tail.Count == tail.Size)
            {
                var size = _tail is null ? shape.FirstSegment : shape.OtherSegments;
                CutOff(_received + size - shape.MaxBuffered);
                if (budget?.Take(size) is { } freed)
                {
                    CutOff(Fastest() - shape.ReadAhead); // before this buffer waits for others, it gives up what only laggards need
                    if (budget.Take(size) is not null)
                    {
                        wait = freed;
                        return Room.AwaitsBudget;
                    }
                }

                tail = AddSegment(size);
            }

            room = tail.Items.AsMemory(tail.Count, (int)Math.Min(tail.Size - tail.Count, Left()));
            return Room.Given;
        }
    }

    /// <summary>Hands items on to the readers.</summary>
    /// <param name="count">How many items have been put into the room.</param>
    public void Add(int count)
    {
        List<FanOutReader<T>> waiting;
        lock (_gate)
        {
            _received += count;
            _tail!.Count += count;
            waiting = TakeWaiting();
        }

        Wake(waiting);
    }

    /// <summary>The source has ended.</summary>
    /// <param name="error">The error that it has ended with. Null for none.</param>
    public void End(Exception? error = null)
    {
        List<FanOutReader<T>> waiting;
        lock (_gate)
        {
            (_error, _hasEnded) = (error, true);
            FreeIfUnused();
            waiting = TakeWaiting();
        }

        Wake(waiting);
    }

    /// <summary>Whether the beginning is in memory, and a reader may join.</summary>
    public bool IsOpen => Volatile.Read(ref _isOpen);

    /// <summary>Whether no reader has a place.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_gate) return _readers.Count == 0;
        }
    }

    private bool HasDemand()
    {
        if (shape.WaitsForSlowest)
        {
            if (_received - _start < shape.MaxBuffered) return true;
            if (_readers.Count == 0) return false; // the first one is about to join
            _isOpen = false; // the beginning goes before a reader has to wait
            Trim();
            return _received - _start < shape.MaxBuffered;
        }

        return IsNear(_fastest) || IsNear(_fastest = Fastest());
    }

    private bool IsNear(long position) => _received - position < shape.ReadAhead;

    // If no reader is cut off, the buffer may end within a part.
    private long Left() => shape.WaitsForSlowest ? shape.MaxBuffered - (_received - _start) : long.MaxValue;

    // Readers advance without the gate, so that they are asked where they are. That is once for each ReadAhead items.
    private long Fastest()
    {
        var fastest = 0L;
        foreach (var reader in _readers) fastest = Math.Max(fastest, reader.Position);
        return fastest;
    }

    private Segment<T> AddSegment(int size)
    {
        var added = new Segment<T>(_received, size);
        if (_tail is not null) return _tail = _tail.Next = added;
        foreach (var reader in _readers) Move(reader, added);
        return _head = _tail = added;
    }

    // Cuts off the readers that have not reached a position. None of them waits, because there is an item for each.
    private void CutOff(long position)
    {
        if (shape.WaitsForSlowest || position <= _start) return;
        _isOpen = false;
        foreach (var reader in _readers)
        {
            if (reader.Position >= position) continue;
            _readers.Remove(reader); // allowed while a set is enumerated
            TakeOut(reader);
            reader.IsCutOff = true;
        }

        Trim();
    }

    private List<FanOutReader<T>> TakeWaiting()
    {
        var waiting = _waiting;
        (_waiting, _spare) = (_spare ?? [], null);
        return waiting;
    }

    private void Wake(List<FanOutReader<T>> waiting)
    {
        foreach (var reader in waiting) reader.Wake();
        waiting.Clear();
        lock (_gate) _spare ??= waiting;
    }
}
