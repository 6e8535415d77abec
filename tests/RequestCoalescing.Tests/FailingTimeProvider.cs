using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>A fake clock that can fail to create a timer, and counts its timers.</summary>
internal sealed class FailingTimeProvider : FakeTimeProvider
{
    private int _liveTimers;

    public bool Fails { get; set; }

    public int LiveTimers => Volatile.Read(ref _liveTimers);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (Fails) throw new InvalidDataException();
        Interlocked.Increment(ref _liveTimers);
        return new Timer(this, base.CreateTimer(callback, state, dueTime, period));
    }

    private sealed class Timer(FailingTimeProvider owner, ITimer timer) : ITimer
    {
        private int _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            timer.Dispose();
            if (Interlocked.Exchange(ref _isDisposed, 1) == 0) Interlocked.Decrement(ref owner._liveTimers);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
