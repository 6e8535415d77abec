namespace RequestCoalescing.Engine;

/// <summary>Validated options in the engine's own units, and the seats of <see cref="SingleflightOptions.MaxInFlight"/>.</summary>
/// <remarks>Limits and durations may change while flights are in the air; each is read anew where it counts.</remarks>
internal sealed class Settings
{
    private int _seats;
    private int _taken;

    public Settings(SingleflightOptions options, FlightListener? listener)
    {
        options.Validate();
        ContextFlow = options.ContextFlow;
        DetectDeadlocks = options.DetectDeadlocks;
        Clock = options.TimeProvider;
        Listener = listener;
        Change(options);
    }

    public int MaxSubscribers { get; private set; }

    public TimeSpan MaxDuration { get; private set; }

    public long MaxDurationTicks { get; private set; }

    public long JoinWindowTicks { get; private set; }

    public OverflowBehavior Overflow { get; private set; }

    public ContextFlow ContextFlow { get; }

    public bool DetectDeadlocks { get; }

    public TimeProvider Clock { get; }

    public FlightListener? Listener { get; }

    // Seats are counted only where there is, or has been, a limit: one counter for all shards is what they would otherwise meet at.
    public bool LimitsInFlight { get; private set; }

    /// <summary>Takes over limits and durations.</summary>
    /// <returns>Whether seats are counted from now on, and were not before.</returns>
    public bool Change(SingleflightOptions options)
    {
        options.Validate();
        MaxSubscribers = options.MaxSubscribers;
        MaxDuration = options.MaxDuration;
        Overflow = options.Overflow;
        MaxDurationTicks = InTimestamps(options.MaxDuration);
        JoinWindowTicks = options.JoinWindow == Timeout.InfiniteTimeSpan ? long.MaxValue : InTimestamps(options.JoinWindow);
        _seats = options.MaxInFlight;
        if (LimitsInFlight || _seats == int.MaxValue) return false;
        return LimitsInFlight = true;
    }

    public int LimitOf(FlightRejectionReason reason) => reason switch
    {
        FlightRejectionReason.MaxInFlight => _seats,
        FlightRejectionReason.MaxSubscribers => MaxSubscribers,
        _ => 0,
    };

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

    /// <summary>Takes a seat for a run that goes on already, whether or not there is one.</summary>
    public void TakeSeat() => Interlocked.Increment(ref _taken);

    public void ReturnSeat() => Interlocked.Decrement(ref _taken);

    private long InTimestamps(TimeSpan duration) => (long)(duration.TotalSeconds * Clock.TimestampFrequency);
}
