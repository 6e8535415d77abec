namespace RequestCoalescing.Redis.Protocol;

/// <summary>A flight of this node, while it may have to wait for another node's.</summary>
internal sealed class Waiter(TimeProvider clock, Action forget)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Message? _landed;

    /// <summary>The token that it leads with or waits for; 0 before it knows.</summary>
    public long Token { get; set; }

    /// <summary>Lets the callers that come from now on start anew on this node.</summary>
    public void Forget() => forget();

    /// <summary>When it was told that the flight it waits for has landed, as a timestamp; null if it was not.</summary>
    public long? LandedAt { get; private set; }

    /// <summary>Wakes the flight; an outcome that came along is kept for it.</summary>
    public void Wake(Message? message)
    {
        lock (_gate)
        {
            if (message is { Kind: MessageKind.LandedWithOutcome or MessageKind.Landed }) LandedAt = clock.GetTimestamp();
            if (message is { Kind: MessageKind.LandedWithOutcome }) _landed = message;
            _signal.TrySetResult();
        }
    }

    /// <summary>The message with the outcome of the flight with this token, or of a later one, if it came.</summary>
    public Message? LandedSince(long token)
    {
        lock (_gate) return _landed is { } landed && landed.Token >= token ? landed : null;
    }

    /// <summary>Waits for a wake-up, and for no longer than this.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task signal;
        lock (_gate) signal = _signal.Task;
        await signal.WaitAsync(atMost, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_signal.Task.IsCompleted) _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
