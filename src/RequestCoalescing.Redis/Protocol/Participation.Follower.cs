using System.Globalization;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The part of a flight that waits for the flight of another node.</summary>
internal sealed partial class Participation
{
    private static readonly TimeSpan s_longestPoll = TimeSpan.FromSeconds(1);

    private TaskCompletionSource? _signal;
    private bool _isWoken;
    private bool _hasAskedClosed;
    private Message? _landed;
    private long _forgottenBy;

    /// <summary>
    /// Whether a newer flight of this node waits for this one's lease instead of taking it over (point 2). It does if this flight's run is younger than
    /// the event that closed the flight to joiners. Either the flight was closed before it asked for the lease, or a forget closed it that the server
    /// had applied before it granted the lease.
    /// </summary>
    public bool IsRespected => _hasAskedClosed || (lease.Token > _forgottenBy && _forgottenBy > 0);

    /// <summary>When the message arrived that the flight it waits for has landed, as a timestamp; null if none did.</summary>
    public long? LandedAt { get; private set; }

    /// <summary>Point 8: another node has forgotten all flights with smaller tokens. If this is one of them, new callers of this node start a new flight.</summary>
    public void Forget(long token)
    {
        if (Math.Max(lease.Token, _bound) >= token) return;
        _forgottenBy = token;
        ForgetHere();
    }

    /// <summary>New callers of this node start a new flight.</summary>
    public void ForgetHere()
    {
        if (flight.IsCurrent) forget();
    }

    /// <summary>Point 6: wakes the flight. If an outcome came with the message, it is kept.</summary>
    public void Wake(Message? message)
    {
        lock (_gate)
        {
            if (message is { Kind: MessageKind.LandedWithOutcome or MessageKind.Landed }) LandedAt = Clock.GetTimestamp();
            if (message is { Kind: MessageKind.LandedWithOutcome }) _landed = message;
            _isWoken = true;
            _signal?.TrySetResult();
        }
    }

    /// <summary>Asks Redis whether the key was forgotten since the flight with this token took off.</summary>
    /// <param name="token">The token of an outcome.</param>
    /// <param name="until">The latest time at which that outcome was certainly not published.</param>
    /// <returns>
    /// The latest time at which an outcome that this node makes itself was certainly not forgotten. If Redis proves that the key was not forgotten, this
    /// is the time of the question. Otherwise it is <paramref name="until"/>. If Redis cannot be reached, there is no limit, as for each flight that
    /// runs on one node alone.
    /// </returns>
    public async Task<long> UnlessForgottenAsync(long token, long until)
    {
        var askedAt = Clock.GetTimestamp();
        try
        {
            node.Commands.ThrowIfOpen();
            node.Telemetry.RoundTrip();
            var last = (string?)await node.Commands.AnswerAsync(node.Commands.Database.StringGetAsync(Names.Last, Commands.Flags)).ConfigureAwait(false);
            return last?.Split('|') is [_, var since, ..] && long.Parse(since, CultureInfo.InvariantCulture) <= token ? askedAt : until;
        }
        catch (Exception)
        {
            return long.MaxValue;
        }
    }

    // Point 6: how long to wait for a message before the next look. While the subscription is confirmed, until the lease ends, but no longer than
    // an outcome is kept. Otherwise for the poll interval, doubled each time up to a second; the subscription is then tried again as well.
    private TimeSpan NextLook(Entry entry, ref TimeSpan poll)
    {
        var left = entry.LeaseLeft + TimeSpan.FromMilliseconds(Random.Shared.Next(5, 50)); // jitter, as all nodes wait for the same moment
        var most = Options.OutcomeRetention * 0.8;
        if (!node.Subscription.IsConfirmed)
        {
            node.Subscription.Probe();
            most = poll;
            poll = poll * 2 < s_longestPoll ? poll * 2 : s_longestPoll;
        }

        return left < most ? left : most;
    }

    // Waits for a message, for the connection's return, or until the next look. If the join window of the leader's flight ends meanwhile, this node
    // forgets its own flight, so that its new callers do not join the old run.
    private async ValueTask WaitAsync(Entry entry, TimeSpan untilLook)
    {
        var joinable = node.JoinWindow == Timeout.InfiniteTimeSpan || !flight.IsCurrent ? TimeSpan.MaxValue : node.JoinWindow - entry.Age;
        if (joinable < untilLook)
        {
            if (joinable > TimeSpan.Zero && await WaitForMessageAsync(joinable).ConfigureAwait(false)) return;
            ForgetHere();
            if (joinable > TimeSpan.Zero) untilLook -= joinable;
        }

        await WaitForMessageAsync(untilLook).ConfigureAwait(false);
    }

    // Returns whether the flight was woken in time.
    private async ValueTask<bool> WaitForMessageAsync(TimeSpan atMost)
    {
        Task signal;
        lock (_gate)
        {
            if (TakeWakeUp()) return true;
            _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
            signal = _signal.Task;
        }

        await signal.WaitAsync(atMost, Clock, flight.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        flight.CancellationToken.ThrowIfCancellationRequested();
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

    // Point 5: the outcome of the flight with this token, or of a later one, if a message has brought it.
    private Message? LandedSince(long token)
    {
        lock (_gate) return token > 0 && _landed is { } landed && landed.Token >= token ? landed : null;
    }

    // Point 5: the flight landed some time after the server answered the last look. The server's clock tells how long after. The node sent the look before
    // that answer, so that it may add this time to the time of its look. The margin is for clocks that differ in speed.
    private long UntilOf(Message landed, Entry lastLook)
    {
        var since = TimeSpan.FromMicroseconds(Math.Max(0, landed.Landed - lastLook.ServerTime) * 0.99);
        return lastLook.Until + (long)(since.TotalSeconds * Clock.TimestampFrequency);
    }
}
