namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Opens for a while when half of the commands have failed, at least two of them. While it is open, one command in each such period may test whether Redis
/// answers again. An answer closes it.
/// </summary>
internal sealed class Circuit(TimeSpan pause, TimeProvider clock)
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private long _windowStart = clock.GetTimestamp();
    private int _asked;
    private int _failed;
    private long? _openedAt;

    /// <returns>Whether a command may be sent.</returns>
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

    /// <summary>Notes the end of a command.</summary>
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
