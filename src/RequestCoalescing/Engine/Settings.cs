namespace RequestCoalescing.Engine;

/// <summary>Validated options in the engine's own units, and the seats of <see cref="SingleflightOptions.MaxInFlight"/>.</summary>
internal sealed class Settings
{
    private readonly int _seats;
    private int _taken;

    public Settings(SingleflightOptions options)
    {
        options.Validate();
        MaxSubscribers = options.MaxSubscribers;
        _seats = options.MaxInFlight;
        MaxDuration = options.MaxDuration;
        Overflow = options.Overflow;
        ContextFlow = options.ContextFlow;
        DetectDeadlocks = options.DetectDeadlocks;
        Clock = options.TimeProvider;
        MaxDurationTicks = InTimestamps(options.MaxDuration);
        JoinWindowTicks = options.JoinWindow == Timeout.InfiniteTimeSpan ? long.MaxValue : InTimestamps(options.JoinWindow);
    }

    public int MaxSubscribers { get; }

    public TimeSpan MaxDuration { get; }

    public long MaxDurationTicks { get; }

    public long JoinWindowTicks { get; }

    public OverflowBehavior Overflow { get; }

    public ContextFlow ContextFlow { get; }

    public bool DetectDeadlocks { get; }

    public TimeProvider Clock { get; }

    // Seats are counted only where there is a limit: one counter for all shards is what they would otherwise meet at.
    public bool LimitsInFlight => _seats != int.MaxValue;

    public int LimitOf(FlightRejectionReason reason) => reason == FlightRejectionReason.MaxInFlight ? _seats : MaxSubscribers;

    /// <summary>Takes a seat for a run of work; false if there is none.</summary>
    public bool TryTakeSeat()
    {
        for (var taken = Volatile.Read(ref _taken); taken < _seats;)
        {
            var found = Interlocked.CompareExchange(ref _taken, taken + 1, taken);
            if (found == taken) return true;
            taken = found;
        }

        return false;
    }

    public void ReturnSeat() => Interlocked.Decrement(ref _taken);

    private long InTimestamps(TimeSpan duration) => (long)(duration.TotalSeconds * Clock.TimestampFrequency);
}
