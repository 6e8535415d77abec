namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Leaves Redis alone for a while once half of what was asked has failed, two commands at least. Then one may try whether it answers again, once in
/// such a while. An answer closes it.
/// </summary>
internal sealed class Circuit(TimeSpan pause, TimeProvider clock)
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private long _windowStart = clock.GetTimestamp();
    private int _asked;
    private int _failed;
    private long? _openedAt;

    /// <returns>Whether Redis may be asked.</returns>
    public bool TryEnter()
    {
        lock (_gate)
        {
            if (_openedAt is not { } openedAt) return true;
            if (clock.GetElapsedTime(openedAt) < pause) return false;
            _openedAt = clock.GetTimestamp();
            return true;
        }
    }

    /// <summary>Redis was asked.</summary>
    /// <param name="hasFailed">Whether there was no answer.</param>
    public void Note(bool hasFailed)
    {
        lock (_gate)
        {
            if (_openedAt is not null && hasFailed) return;
            if (_openedAt is not null || clock.GetElapsedTime(_windowStart) > s_window) Clear();
            _asked++;
            if (!hasFailed) return;
            _failed++;
            if (_asked >= 2 && 2 * _failed >= _asked) _openedAt = clock.GetTimestamp();
        }
    }

    public void Close()
    {
        lock (_gate) Clear();
    }

    private void Clear() => (_openedAt, _windowStart, _asked, _failed) = (null, clock.GetTimestamp(), 0, 0);
}
