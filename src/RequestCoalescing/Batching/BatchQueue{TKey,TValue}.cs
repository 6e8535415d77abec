using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Batching;

/// <summary>The slots that wait for a take-off, in the order of their arrival, and the batches that run. It decides when a batch takes off.</summary>
/// <remarks>The gate guards all fields that change. Neither the backend nor a caller's continuation runs under it. Only the clock is asked under it.</remarks>
internal sealed class BatchQueue<TKey, TValue> : IThreadPoolWorkItem
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly WindowTimer _window;
    private readonly HashSet<Batch<TKey, TValue>> _airborne = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BatchLoaderOptions _options;
    private Slot<TKey, TValue>? _first;
    private Slot<TKey, TValue>? _last;
    private int _queued;
    private int _pending; // with those of groups that have not entered the queue yet
    private int _running; // without batches that run alone
    private bool _isLaunching;
    private bool _isClosed;

    public BatchQueue(BatchLoad<TKey, TValue> load, BatchLoaderOptions options, IEqualityComparer<TKey>? comparer, BatchTelemetry telemetry)
    {
        (Load, Comparer, Telemetry, Clock, _options) = (load, comparer, telemetry, options.TimeProvider, options);

        // A clock may fire on the thread of a caller.
        _window = new WindowTimer(Clock, () => ThreadPool.UnsafeQueueUserWorkItem(static queue => queue.TakeOff(isTimer: true), this, preferLocal: false));
    }

    public BatchLoad<TKey, TValue> Load { get; }

    public IEqualityComparer<TKey>? Comparer { get; }

    public BatchTelemetry Telemetry { get; }

    public TimeProvider Clock { get; }

    public BatchLoaderOptions Options => Volatile.Read(ref _options);

    /// <summary>Makes a slot for a key. It enters the queue, at once or with its group.</summary>
    /// <exception cref="FlightRejectedException">Too many keys wait.</exception>
    /// <exception cref="ObjectDisposedException">The loader has been disposed.</exception>
    public Slot<TKey, TValue> Add(TKey key, SlotGroup<TKey, TValue>? group)
    {
        var slot = new Slot<TKey, TValue>(key);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(BatchLoader<TKey, TValue>));
            if (_pending < _options.MaxPending)
            {
                _pending++;
                if (group is { IsOpen: true })
                {
                    group.Slots.Add(slot);
                    return slot;
                }

                Enqueue(slot, _window.Timestamp());
                Arrange();
                return slot;
            }

            if (_options.Overflow == OverflowBehavior.RunAlone)
            {
                ThreadPool.UnsafeQueueUserWorkItem(TakeOff([slot], isAlone: true), preferLocal: false);
                return slot;
            }

            throw new FlightRejectedException(Telemetry.Name, new KeyLabel(key, KeyRedactor.HashByProcess), FlightRejectionReason.MaxPending, _options.MaxPending, age: null, subscribers: null);
        }
    }

    /// <summary>Lets the slots of a group enter the queue.</summary>
    public void Submit(SlotGroup<TKey, TValue> group)
    {
        List<Slot<TKey, TValue>> refused = [];
        lock (_gate)
        {
            group.IsOpen = false;
            if (group.Slots.Count == 0) return;
            var now = _window.Timestamp();
            foreach (var slot in group.Slots)
            {
                if (slot.State != SlotState.Grouped) continue;
                if (_isClosed)
                {
                    refused.Add(slot);
                    slot.State = SlotState.Left;
                    _pending--;
                }
                else
                {
                    Enqueue(slot, now);
                }
            }

            Arrange();
        }

        Refuse(refused);
    }

    /// <summary>No caller waits for a slot any more.</summary>
    public void Leave(Slot<TKey, TValue> slot, CancellationToken token)
    {
        if (_gate.IsHeldByCurrentThread)
        {
            // A clock has fired the token when it was asked for the time.
            ThreadPool.UnsafeQueueUserWorkItem(static leave => leave.Queue.Leave(leave.Slot, leave.Token), (Queue: this, Slot: slot, Token: token), preferLocal: false);
            return;
        }

        lock (_gate)
        {
            if (slot.State is SlotState.Grouped or SlotState.Queued)
            {
                if (slot.State == SlotState.Queued) Unlink(slot);
                slot.State = SlotState.Left;
                _pending--;
                Telemetry.CountLeftOut(); // under the gate, so that the statistics always have the key in one of the two counts
                Arrange();
            }
        }

        if (slot.TrySetCanceled(token)) slot.Batch?.Leave();
    }

    /// <summary>A batch has ended, so that the next one may take off.</summary>
    public void OnEnded(Batch<TKey, TValue> batch)
    {
        lock (_gate)
        {
            _airborne.Remove(batch);
            if (!batch.IsAlone) _running--;
            if (_isClosed && _airborne.Count == 0) _ended.TrySetResult();
            Arrange();
        }
    }

    /// <summary>Applies other limits. They hold for the keys that wait, too.</summary>
    public void Change(BatchLoaderOptions options)
    {
        lock (_gate)
        {
            Volatile.Write(ref _options, options);
            _window.Stop();
            Arrange();
        }
    }

    /// <summary>Refuses the keys that wait and those that come later, and cancels the batches that run.</summary>
    /// <returns>A task that completes when no batch runs.</returns>
    public Task CloseAsync()
    {
        List<Slot<TKey, TValue>> refused = [];
        Batch<TKey, TValue>[] running;
        lock (_gate)
        {
            _isClosed = true;
            for (; _first is { } slot; refused.Add(slot))
            {
                Unlink(slot);
                slot.State = SlotState.Left;
                _pending--;
            }

            _window.Stop();
            running = [.. _airborne];
            if (running.Length == 0) _ended.TrySetResult();
        }

        Refuse(refused);
        foreach (var batch in running) batch.Stop();
        return _ended.Task;
    }

    public BatchLoaderStats GetStats()
    {
        lock (_gate) return Telemetry.ToStats(_pending, _airborne.Count);
    }

    void IThreadPoolWorkItem.Execute() => TakeOff(isTimer: false);

    private static void Refuse(List<Slot<TKey, TValue>> slots)
    {
        foreach (var slot in slots) slot.TrySetException(new ObjectDisposedException(nameof(BatchLoader<TKey, TValue>)));
    }

    // On the thread pool. One batch at a time, because the backend may block before its first await.
    private void TakeOff(bool isTimer)
    {
        Batch<TKey, TValue>? batch = null;
        lock (_gate)
        {
            if (isTimer) _window.OnFired();
            else _isLaunching = false;
            if (_queued > 0 && _running < _options.MaxConcurrentBatches && IsDue())
            {
                var slots = new Slot<TKey, TValue>[Math.Min(_queued, _options.MaxBatchSize)];
                for (var i = 0; i < slots.Length; i++) Unlink(slots[i] = _first!);
                _pending -= slots.Length;
                _running++;
                batch = TakeOff(slots, isAlone: false);
            }

            Arrange();
        }

        batch?.Execute();
    }

    private Batch<TKey, TValue> TakeOff(Slot<TKey, TValue>[] slots, bool isAlone)
    {
        var batch = new Batch<TKey, TValue>(this, slots, isAlone) { TakenOffAt = Telemetry.MeasuresWaits && !isAlone ? _window.Timestamp() : 0 };
        foreach (var slot in slots) (slot.State, slot.Batch) = (SlotState.TakenOff, batch);
        _airborne.Add(batch);
        return batch;
    }

    // Makes sure that the queue is looked at when a batch may be due.
    private void Arrange()
    {
        if (_queued == 0)
        {
            _window.Stop();
            return;
        }

        if (_isLaunching || _running >= _options.MaxConcurrentBatches) return; // the launch, or the end of a batch, looks again
        if (_window.IsSet && _queued < _options.MaxBatchSize) return;
        if (IsDue() || !_window.TrySet(_options.Window, _first!.QueuedAt)) Launch();
    }

    private void Launch()
    {
        _isLaunching = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private bool IsDue() => _queued >= _options.MaxBatchSize || _window.IsOver(_options.Window, _first!.QueuedAt);

    private void Enqueue(Slot<TKey, TValue> slot, long now)
    {
        (slot.State, slot.QueuedAt, slot.Previous) = (SlotState.Queued, now, _last);
        if (_last is null) _first = slot;
        else _last.Next = slot;
        _last = slot;
        _queued++;
    }

    private void Unlink(Slot<TKey, TValue> slot)
    {
        if (slot.Previous is null) _first = slot.Next;
        else slot.Previous.Next = slot.Next;
        if (slot.Next is null) _last = slot.Previous;
        else slot.Next.Previous = slot.Previous;
        (slot.Previous, slot.Next) = (null, null);
        _queued--;
    }
}
