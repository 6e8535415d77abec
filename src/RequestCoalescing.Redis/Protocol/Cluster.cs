using System.Globalization;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>This node's side of the protocol.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private readonly IConnectionMultiplexer _connection;
    private readonly RedisSingleflightOptions _options;
    private readonly ClusterTelemetry _telemetry;
    private readonly Commands _commands;
    private readonly Subscription _subscription;
    private readonly Heartbeat _heartbeat;
    private readonly Forgets _forgets;
    private readonly Mailbox _mailbox;
    private readonly string _channels;
    private readonly string _node = Guid.NewGuid().ToString("N")[..16];
    private long _owners;

    private static readonly TimeSpan s_longestPoll = TimeSpan.FromSeconds(1);

    public Cluster(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry)
    {
        (_connection, _options, _telemetry) = (connection, options, telemetry);
        _channels = $"{options.KeyPrefix}:node:";
        _commands = new Commands(connection, options, telemetry);
        _heartbeat = new Heartbeat(connection, options, telemetry);
        _forgets = new Forgets(SendForgetAsync, options.OutageBreak, options.TimeProvider);
        _mailbox = new Mailbox(_node, _heartbeat, options.TimeProvider);
        _subscription = new Subscription(connection, RedisChannel.Literal($"{_channels}{_node}"), _commands, _mailbox);
        _connection.ConnectionFailed += OnConnectionFailed;
        _connection.ConnectionRestored += OnConnectionRestored;
    }

    /// <summary>Registers a flight of this node, so that messages about its key wake it. Before it asks for the key, so that none is missed.</summary>
    /// <param name="lease">What it asks for.</param>
    /// <param name="forget">Forgets the flight on this node.</param>
    public Waiter Register(Lease lease, Action forget) => _mailbox.Register(lease, forget);

    public void Unregister(Waiter waiter) => _mailbox.Unregister(waiter);

    /// <summary>
    /// How long a waiting node may wait for a message before it looks: until the lease ends, while it certainly would hear one, and not for longer
    /// than an outcome that it missed is kept. Else for the poll interval, doubled each time up to a second; then it tries to hear again, too.
    /// </summary>
    /// <param name="entry">What it was told last.</param>
    /// <param name="poll">The poll interval for now.</param>
    public TimeSpan NextLook(Entry entry, ref TimeSpan poll)
    {
        var left = entry.LeaseLeft + TimeSpan.FromMilliseconds(Random.Shared.Next(5, 50)); // some jitter, for all wait for its end
        var most = _options.OutcomeRetention * 0.8;
        if (!_subscription.IsConfirmed)
        {
            _subscription.Probe();
            most = poll;
            poll = poll * 2 < s_longestPoll ? poll * 2 : s_longestPoll;
        }

        return left < most ? left : most;
    }

    /// <summary>The keys that flights of this node have to do with now.</summary>
    public IReadOnlyList<string> Keys => _mailbox.Keys;

    /// <summary>What a flight asks for.</summary>
    public Lease NewLease(Names names) =>
        new(names, string.Create(CultureInfo.InvariantCulture, $"{_node}-{Interlocked.Increment(ref _owners)}"), _options);

    /// <summary>Asks for a key, or again for the outcome of the flight that is waited for.</summary>
    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async Task<Entry> EnterAsync(Waiter waiter, long bound, TimeSpan joinWindow, Asking asking)
    {
        var lease = waiter.Lease;
        var names = lease.Names;
        _commands.ThrowIfOpen();
        await _subscription.EnsureAsync().ConfigureAwait(false);
        if (_forgets.Owed(names) is { } forgotten) await _commands.AnswerAsync(forgotten).ConfigureAwait(false);
        var window = joinWindow == Timeout.InfiniteTimeSpan ? 0 : Math.Max(1, (long)joinWindow.TotalMicroseconds);
        var isGranted = false;
        var sentAt = lease.Ask();
        _heartbeat.Add(lease); // it may be granted long before that is heard
        try
        {
            asking.Last = _commands.Send(
                Scripts.Enter,
                [names.Lease, names.Last, names.Outcome, names.Waiting],
                [lease.Owner, Milliseconds(_options.LeaseDuration), bound, window, _node, _mailbox.RespectedBy(waiter)]);
            var entry = Read((byte[])(await _commands.AnswerAsync(asking.Last).ConfigureAwait(false))!, sentAt);
            _telemetry.Reached();
            if (entry.What == Scripts.Lead)
            {
                lease.Grant(entry.Token, new Grant(sentAt, _options.TimeProvider.GetTimestamp(), entry.ServerTime));
                isGranted = true;
            }

            return entry;
        }
        finally
        {
            if (!isGranted) _heartbeat.Remove(lease);
        }
    }

    /// <summary>
    /// Hands the outcome to the others, if the lease still holds. Completes when that is done, before any caller of this node sees the
    /// outcome: whoever hears of it from one of them, on whichever node, and asks again, starts anew. It does not fail.
    /// </summary>
    /// <returns>When the flight certainly was neither landed nor forgotten, as a timestamp.</returns>
    public async Task<long> PublishAsync(Lease lease, byte[] payload)
    {
        lease.TryEnd();
        var isHeld = lease.IsHeld;
        var sentAt = _options.TimeProvider.GetTimestamp();
        int? answer = null;
        try
        {
            if (isHeld)
            {
                await AnchorAsync(lease).ConfigureAwait(false);
                sentAt = _options.TimeProvider.GetTimestamp();
                answer = (int)await _commands.RunAsync(
                    Scripts.Publish,
                    [lease.Names.Lease, lease.Names.Last, lease.Names.Outcome, lease.Names.Waiting],
                    [
                        lease.Value, _node, lease.Names.Key, _channels, lease.Token, payload, Milliseconds(_options.OutcomeRetention),
                        ServerTimeAt(lease, sentAt, _options.CommandTimeout), _options.MaxMessageBytes,
                    ]).ConfigureAwait(false);
                if (answer == Scripts.Done) return sentAt;
            }
            else
            {
                answer = (int)await AbandonAsync(lease).ConfigureAwait(false); // it may be there still, for others to wait for
            }
        }
        catch (Exception)
        {
            // Others may get the outcome, or not: who waits finds out by looking. Until the publish refuses itself this node's callers do not land:
            // somebody who has heard of it from them could be given the same.
            while (isHeld && _options.CommandTimeout - _options.TimeProvider.GetElapsedTime(sentAt) is var left && left > TimeSpan.Zero)
            {
                await Task.Delay(left + TimeSpan.FromMilliseconds(1), _options.TimeProvider).ConfigureAwait(false);
            }
        }
        finally
        {
            _heartbeat.Remove(lease); // not before: where the server is slow, it is to be there still when the publish arrives
        }

        _telemetry.LostLease(lease.Late);
        return answer is null or Scripts.Forgotten ? lease.Granted.SentAt : sentAt;
    }

    /// <summary>Gives a lease up, so that somebody else leads at once.</summary>
    public void Abandon(Lease lease)
    {
        if (!lease.TryEnd()) return; // published, or given up before
        _heartbeat.Remove(lease);
        _commands.Follow(AbandonAsync(lease));
        lease.GiveUp();
    }

    /// <summary>Gives up what may have been granted, or may be yet, to one who did not wait for the answer.</summary>
    public void Withdraw(Lease lease, Asking asking)
    {
        if (asking.Last is { } last) _commands.Follow(WithdrawAsync(lease.Names, lease.Owner, last));
    }

    /// <summary>Whether the key was forgotten after the flight with this token took off, or nothing proves that it was not.</summary>
    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async Task<bool> IsForgottenSinceAsync(Names names, long token)
    {
        _commands.ThrowIfOpen();
        _telemetry.RoundTrip();
        var last = (string?)await _commands.AnswerAsync(_commands.Database.StringGetAsync(names.Last)).ConfigureAwait(false);
        return last?.Split('|') is not [_, var since, ..] || long.Parse(since, CultureInfo.InvariantCulture) > token;
    }

    /// <summary>The leases of this node for a key.</summary>
    public Lease[] LeasesOf(Names names) => _heartbeat.LeasesOf(names.Key);

    /// <summary>Draws the line for the cluster. Sent before this returns; if it is lost, sent again until it is not. Fails in time.</summary>
    /// <param name="names">The key.</param>
    /// <param name="held">The leases that this node had for it when the line was drawn here.</param>
    public Task ForgetAsync(Names names, Lease[] held)
    {
        foreach (var lease in held) lease.Lose();
        var told = _forgets.SendAsync(names).WaitAsync(_options.CommandTimeout, _options.TimeProvider);
        _commands.Follow(told); // the caller need not await it
        return told;
    }

    /// <summary>Completes when Redis has heard of what this node has forgotten of the key. Fails in time.</summary>
    public Task ForgottenAsync(Names names) =>
        _forgets.Owed(names)?.WaitAsync(_options.CommandTimeout, _options.TimeProvider) ?? Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _connection.ConnectionFailed -= OnConnectionFailed;
        _connection.ConnectionRestored -= OnConnectionRestored;
        _heartbeat.Dispose();
        _forgets.Dispose();
        await _commands.DrainAsync().ConfigureAwait(false);
        await _subscription.EndAsync(_options.CommandTimeout, _options.TimeProvider).ConfigureAwait(false);
    }

    private static long Milliseconds(TimeSpan duration) => (long)duration.TotalMilliseconds;

    private Task<RedisResult> AbandonAsync(Lease lease) =>
        _commands.RunAsync(Scripts.Abandon, [lease.Names.Lease, lease.Names.Last, lease.Names.Waiting], [lease.Value, _node, lease.Names.Key, _channels]);

    private async Task WithdrawAsync(Names names, string owner, Task<RedisResult> asked)
    {
        await ((Task)asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it was sent before, and is done before
        if (asked.IsCompletedSuccessfully && Read((byte[])asked.Result!, 0).What != Scripts.Lead) return;
        await _commands.Send(Scripts.Withdraw, [names.Lease, names.Waiting], [owner, names.Key, _channels]).ConfigureAwait(false);
    }

    // Past the circuit: it is sent whatever happened before, or waits for the connection's return.
    private Task<RedisResult> SendForgetAsync(Names names)
    {
        var sent = _commands.Send(
            Scripts.Forget, [names.Lease, names.Last, names.Outcome, names.Waiting], [_node, names.Key, _channels, Milliseconds(_options.LeaseDuration)]);
        _commands.Follow(sent);
        return sent;
    }

    private Entry Read(Memory<byte> answer, long sentAt)
    {
        var what = (int)Take(ref answer);
        var token = Take(ref answer);
        var number = Take(ref answer);
        switch (what)
        {
            case Scripts.Lead:
                return new Entry(what, token, sentAt, number, default, default);

            case Scripts.Outcome:
                // So long before the answer it landed, on the server's clock; the margin is for clocks that run apart.
                var age = TimeSpan.FromMicroseconds(Math.Max(0, number) * 1.1);
                return new Entry(what, token, sentAt - (long)(age.TotalSeconds * _options.TimeProvider.TimestampFrequency), default, default, answer);

            default:
                return new Entry(what, token, sentAt, number, TimeSpan.FromMilliseconds(Scripts.Number(answer.Span)), default);
        }

        static long Take(ref Memory<byte> text) => Message.ReadNumber(ref text, (byte)'|') ?? throw new InvalidDataException("An answer that is none.");
    }

    // The server's time at some time from now by this node's clock, or a little earlier: clocks run apart, by a hundredth at the most.
    private long ServerTimeAt(Lease lease, long timestamp, TimeSpan later)
    {
        var granted = lease.Granted;
        return granted.ServerTime + (long)((_options.TimeProvider.GetElapsedTime(granted.HeardAt, timestamp) + later).TotalMicroseconds * 0.99);
    }

    // What is known of the server's time may be too old or too vague to tell when a command that takes its timeout will be done: with long
    // leases, or where an answer was heard late.
    private async Task AnchorAsync(Lease lease)
    {
        var (askedAt, heardAt) = (lease.Granted.SentAt, lease.Granted.HeardAt);
        if (_options.TimeProvider.GetElapsedTime(heardAt) < _options.CommandTimeout * 25 &&
            _options.TimeProvider.GetElapsedTime(askedAt, heardAt) < _options.CommandTimeout / 4) return;
        await new Extension([lease], _options).SendAsync(_commands.Database).WaitAsync(_options.CommandTimeout, _options.TimeProvider).ConfigureAwait(false);
    }

    private void OnConnectionFailed(object? sender, ConnectionFailedEventArgs e)
    {
        _subscription.Doubt();
        _mailbox.WakeAll();
    }

    private void OnConnectionRestored(object? sender, ConnectionFailedEventArgs e)
    {
        _commands.CloseCircuit();
        _forgets.SendAgain();
        _subscription.Probe();
        _mailbox.WakeAll();
    }
}
