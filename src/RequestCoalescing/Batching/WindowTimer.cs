using RequestCoalescing.Engine;

namespace RequestCoalescing.Batching;

/// <summary>Measures the window of the oldest key that waits. All members are called under the gate of its queue.</summary>
/// <param name="clock">The clock. If it throws, windows are over at once from then on, so that no caller is lost.</param>
/// <param name="onFired">Called on any thread, perhaps under the gate, because some clocks fire timers when they are asked for the time.</param>
internal sealed class WindowTimer(TimeProvider clock, Action onFired)
{
    private ITimer? _timer;
    private bool _isClockBroken;

    /// <summary>Whether it is set. It may be set for an older key that waits no longer. Then it fires early, and is set again.</summary>
    public bool IsSet { get; private set; }

    public long Timestamp()
    {
        try
        {
            return clock.GetTimestamp();
        }
        catch (Exception)
        {
            _isClockBroken = true;
            return 0;
        }
    }

    public bool IsOver(TimeSpan window, long since)
    {
        try
        {
            return _isClockBroken || window == TimeSpan.Zero || clock.GetElapsedTime(since) >= window;
        }
        catch (Exception)
        {
            return _isClockBroken = true;
        }
    }

    /// <returns>False if the clock throws.</returns>
    public bool TrySet(TimeSpan window, long since)
    {
        try
        {
            var due = Math.Ceiling((window - clock.GetElapsedTime(since)).TotalMilliseconds); // timers count in milliseconds
            Set(TimeSpan.FromMilliseconds(Math.Clamp(due, 1, Math.Ceiling(window.TotalMilliseconds)))); // a clock may have been set back
            return IsSet = true;
        }
        catch (Exception)
        {
            _isClockBroken = true;
            return false;
        }
    }

    public void Stop()
    {
        if (!IsSet) return;
        IsSet = false;
        try
        {
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
        catch (Exception)
        {
            _isClockBroken = true;
        }
    }

    /// <summary>It has fired.</summary>
    public void OnFired() => IsSet = false;

    private void Set(TimeSpan due)
    {
        if (_timer is not null)
        {
            _timer.Change(due, Timeout.InfiniteTimeSpan);
            return;
        }

        _timer = clock.CreateDetachedTimer(static fired => ((Action)fired!)(), onFired, due, Timeout.InfiniteTimeSpan);
    }
}
