namespace RequestCoalescing.Engine;

/// <summary>Validated options in the engine's own units, and the slots of <see cref="SingleflightOptions.MaxInFlight"/>.</summary>
/// <remarks>Limits and durations may change while flights are in the air; each is read anew where it counts.</remarks>
internal sealed class Settings
{
    private int _maxInFlight;
    private int _takenSlots;
    private long _uncheckedWaits;

    private readonly Func<object, string> _describe;
    private Drain? _drain;
    private bool _isClosed;

    /// <param name="options">The options.</param>
    /// <param name="name">The name of the instance.</param>
    /// <param name="describe">Converts a key to the text that messages may show.</param>
    /// <param name="listener">Receives the events of flights. May be null.</param>
    public Settings(SingleflightOptions options, string name, Func<object, string> describe, FlightListener? listener)
    {
        options.Validate();
        (Name, _describe) = (name, describe);
        StartOnThreadPool = options.StartOnThreadPool;
        ContextFlow = options.ContextFlow;
        DetectDeadlocks = options.DetectDeadlocks;
        Clock = options.TimeProvider;
        Listener = listener;
        Change(options);
    }

    public string Name { get; }

    /// <summary>The drain of the engine, if it has begun to drain.</summary>
    public Drain? Drain => Volatile.Read(ref _drain);

    /// <summary>Whether the engine was disposed. No flight takes off then.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    public bool StartOnThreadPool { get; }

    public int MaxSubscribers { get; private set; }

    public TimeSpan MaxDuration { get; private set; }

    public long MaxDurationTicks { get; private set; }

    public long JoinWindowTicks { get; private set; }

    public OverflowBehavior Overflow { get; private set; }

    public ContextFlow ContextFlow { get; }

    public bool DetectDeadlocks { get; }

    public TimeProvider Clock { get; }

    public FlightListener? Listener { get; }

    // Slots are counted only if there is, or has been, a limit. Otherwise all shards would contend for the one counter.
    public bool LimitsInFlight { get; private set; }

    /// <summary>Changes limits and durations.</summary>
    /// <returns>Whether slots are counted from now on, and were not before.</returns>
    public bool Change(SingleflightOptions options)
    {
        options.Validate();
        MaxSubscribers = options.MaxSubscribers;
        MaxDuration = options.MaxDuration;
        Overflow = options.Overflow;
        MaxDurationTicks = InTimestamps(options.MaxDuration);
        JoinWindowTicks = options.JoinWindow == Timeout.InfiniteTimeSpan ? long.MaxValue : InTimestamps(options.JoinWindow);
        _maxInFlight = options.MaxInFlight;
        if (LimitsInFlight || _maxInFlight == int.MaxValue) return false;
        LimitsInFlight = true;
        Interlocked.MemoryBarrier(); // before the shards are listed; a shard that is created later sees the change
        return true;
    }

    public int MaxInFlight => _maxInFlight;

    /// <summary>Begins to drain, unless a drain has begun before.</summary>
    public void StartDrain(Drain drain) => Interlocked.CompareExchange(ref _drain, drain, null);

    /// <summary>Refuses take-offs from now on in shards that are created later. The caller closes the existing shards.</summary>
    public void Close() => Interlocked.Exchange(ref _isClosed, true);

    public KeyLabel LabelOf(object key) => new(key, _describe);

    /// <summary>Takes a slot for a run of work. False if no slot is free.</summary>
    public bool TryTakeSlot()
    {
        for (var taken = Volatile.Read(ref _takenSlots); taken < _maxInFlight;)
        {
            var found = Interlocked.CompareExchange(ref _takenSlots, taken + 1, taken);
            if (found == taken) return true;
            taken = found;
        }

        return false;
    }

    /// <summary>Takes a slot for a run that goes on already, even if no slot is free.</summary>
    public void TakeSlot() => Interlocked.Increment(ref _takenSlots);

    public void ReturnSlot() => Interlocked.Decrement(ref _takenSlots);

    /// <summary>Waits of work since the start whose check for a deadlock was cut short.</summary>
    public long UncheckedWaits => Volatile.Read(ref _uncheckedWaits);

    public void CountUncheckedWait() => Interlocked.Increment(ref _uncheckedWaits);

    /// <summary>Returns the current settings, for monitoring.</summary>
    public SingleflightSettings ToPublic()
    {
        var window = JoinWindowTicks;
        return new(MaxDuration, window == long.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds((double)window / Clock.TimestampFrequency), MaxInFlight, MaxSubscribers, Overflow);
    }

    private long InTimestamps(TimeSpan duration) => (long)(duration.TotalSeconds * Clock.TimestampFrequency);
}
