namespace RequestCoalescing.Tests;

/// <summary>The system's clock, which counts the timers that are set.</summary>
internal sealed class TimerCountingTimeProvider : TimeProvider
{
    private int _setTimers;

    public int SetTimers => Volatile.Read(ref _setTimers);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var counted = new CountedTimer(this);
        counted.Timer = base.CreateTimer(
            state =>
            {
                counted.Note(isSet: false);
                callback(state);
            },
            state,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        counted.Change(dueTime, period);
        return counted;
    }

    private sealed class CountedTimer(TimerCountingTimeProvider owner) : ITimer
    {
        private int _isSet;

        public ITimer Timer { get; set; } = null!;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Note(dueTime != Timeout.InfiniteTimeSpan);
            return Timer.Change(dueTime, period);
        }

        public void Dispose()
        {
            Note(isSet: false);
            Timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Note(isSet: false);
            return Timer.DisposeAsync();
        }

        public void Note(bool isSet)
        {
            if (Interlocked.Exchange(ref _isSet, isSet ? 1 : 0) == 1 != isSet) Interlocked.Add(ref owner._setTimers, isSet ? 1 : -1);
        }
    }
}
