namespace RequestCoalescing.Http;

/// <summary>Bounds the requests that are at the origin alone, because their response is not shared.</summary>
/// <param name="most">How many there may be at once.</param>
/// <param name="overflow">Decides for a request past the limit.</param>
internal sealed class AloneLimit(int most, Func<OverflowBehavior> overflow)
{
    private int _count;
    private long _rejected;

    /// <summary>How many requests have been rejected.</summary>
    public long Rejected => Volatile.Read(ref _rejected);

    /// <returns>Whether the request has a place, which it gives back. False if it goes on without one.</returns>
    /// <exception cref="FlightRejectedException">All places are taken.</exception>
    public bool TryEnter()
    {
        for (var count = Volatile.Read(ref _count); count < most;)
        {
            var seen = Interlocked.CompareExchange(ref _count, count + 1, count);
            if (seen == count) return true;
            count = seen;
        }

        if (overflow() == OverflowBehavior.RunAlone) return false;
        Interlocked.Increment(ref _rejected);
        throw new FlightRejectedException(FlightRejectionReason.MaxAlone, most);
    }

    public void Exit() => Interlocked.Decrement(ref _count);
}
