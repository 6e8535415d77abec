namespace RequestCoalescing.Redis.Protocol;

/// <summary>A flight of this node, while it may have to wait for another's.</summary>
internal sealed class Waiter(Lease lease, TimeProvider clock, Action forget)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _signal;
    private bool _isWoken;
    private Message? _landed;
    private long _forgottenBy;

    /// <summary>What it asks for, or leads with.</summary>
    public Lease Lease => lease;

    /// <summary>The token that it leads with or waits for; 0 before it knows.</summary>
    public long Token { get; set; }

    /// <summary>Whether nobody could join it any more when it last asked for its lease.</summary>
    public bool HasAskedClosed { get; set; }

    /// <summary>
    /// Whether a newer flight of this node waits for its lease rather than take it over: its run is younger than whatever closed it to joiners. It was
    /// closed before it asked, or by a forget that the server had done before it granted the lease.
    /// </summary>
    public bool IsRespected => HasAskedClosed || (lease.Token > _forgottenBy && _forgottenBy > 0);

    /// <summary>When it was told that the flight it waits for has landed, as a timestamp; null if it was not.</summary>
    public long? LandedAt { get; private set; }

    /// <summary>Another node has forgotten what came before the token: the callers that come from now on start anew on this node.</summary>
    public void Forget(long token)
    {
        if (Token >= token) return; // this came after
        _forgottenBy = token;
        forget();
    }

    /// <summary>Wakes the flight; an outcome that came along is kept for it.</summary>
    public void Wake(Message? message)
    {
        lock (_gate)
        {
            if (message is { Kind: MessageKind.LandedWithOutcome or MessageKind.Landed }) LandedAt = clock.GetTimestamp();
            if (message is { Kind: MessageKind.LandedWithOutcome }) _landed = message;
            _isWoken = true;
            _signal?.TrySetResult();
        }
    }

    /// <summary>The message with the outcome of the flight with this token, or of a later one, if it came.</summary>
    public Message? LandedSince(long token)
    {
        lock (_gate) return _landed is { } landed && landed.Token >= token ? landed : null;
    }

    /// <summary>Waits for a wake-up, and for no longer than this.</summary>
    /// <returns>Whether it was woken.</returns>
    public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task signal;
        lock (_gate)
        {
            if (TakeWakeUp()) return true;
            _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
            signal = _signal.Task;
        }

        await signal.WaitAsync(atMost, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            _signal = null;
            return TakeWakeUp();
        }
    }

    private bool TakeWakeUp()
    {
        var isWoken = _isWoken;
        _isWoken = false;
        return isWoken;
    }
}
