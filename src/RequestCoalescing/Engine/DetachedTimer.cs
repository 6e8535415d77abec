namespace RequestCoalescing.Engine;

/// <summary>Makes timers that outlive the caller that happens to make them.</summary>
internal static class DetachedTimer
{
    /// <summary>Makes a timer that does not keep the caller's async locals.</summary>
    public static ITimer CreateDetachedTimer(this TimeProvider clock, TimerCallback callback, object state, TimeSpan due, TimeSpan period)
    {
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow()) return clock.CreateTimer(callback, state, due, period);
    }
}
