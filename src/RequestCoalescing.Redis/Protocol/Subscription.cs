using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>This node's one subscription, for all keys. It is confirmed before the node's first flight enters. If it fails, it is tried again.</summary>
internal sealed class Subscription(IConnectionMultiplexer connection, RedisChannel channel, Commands commands, Mailbox mailbox)
{
    private readonly Lock _gate = new();
    private Task<bool>? _subscribing;
    private long _failures;
    private long _confirmed; // the number of failures when it was last confirmed

    /// <summary>Whether this node would receive a message. If not, the flights that wait have to look.</summary>
    public bool IsConfirmed =>
        _subscribing is { IsCompletedSuccessfully: true } && Volatile.Read(ref _confirmed) == Volatile.Read(ref _failures) && connection.GetSubscriber().SubscribedEndpoint(channel) is not null;

    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async Task EnsureAsync()
    {
        Task<bool> subscribing;
        lock (_gate)
        {
            if (_subscribing is null or { IsFaulted: true } or { IsCanceled: true })
            {
                if (_subscribing is not null) _ = connection.GetSubscriber().UnsubscribeAsync(channel, Deliver, CommandFlags.FireAndForget); // the server may have applied it all the same
                _subscribing = SubscribeAsync();
                commands.Follow(_subscribing);
            }

            subscribing = _subscribing;
        }

        if (!subscribing.IsCompletedSuccessfully) await commands.AnswerAsync(subscribing).ConfigureAwait(false);
    }

    /// <summary>Notes that a connection has failed. Messages may be lost until the node has received a message from itself.</summary>
    public void Doubt() => Interlocked.Increment(ref _failures);

    /// <summary>Sends a message to this node if the subscription is in doubt. It does not fail.</summary>
    public void Probe()
    {
        var failures = Volatile.Read(ref _failures);
        if (Volatile.Read(ref _confirmed) == failures || _subscribing is not { IsCompletedSuccessfully: true }) return;
        try
        {
            commands.Follow(connection.GetSubscriber().PublishAsync(channel, Message.Echo(failures)));
        }
        catch (Exception)
        {
            // The subscription stays in doubt.
        }
    }

    /// <summary>Ends the subscription. If that takes longer than the timeout, it goes on by itself.</summary>
    public async Task EndAsync(TimeSpan timeout, TimeProvider clock)
    {
        Task? subscribing;
        lock (_gate) subscribing = _subscribing;
        if (subscribing is null) return;
        try
        {
            var unsubscribing = UnsubscribeAfterAsync(subscribing);
            commands.Follow(unsubscribing);
            await unsubscribing.WaitAsync(timeout, clock).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and the subscription with it.
        }
    }

    // The client sends an unsubscription only after the answer to its subscription. A subscription that has failed may still reach the server, because the
    // client repeats it when the connection is back. The answer to another subscription shows that this has happened.
    private async Task UnsubscribeAfterAsync(Task subscribing)
    {
        var subscriber = connection.GetSubscriber();
        await subscribing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!subscribing.IsCompletedSuccessfully) await subscriber.SubscribeAsync(channel, Deliver).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await subscriber.UnsubscribeAsync(channel).ConfigureAwait(false);
    }

    private async Task<bool> SubscribeAsync()
    {
        var failures = Volatile.Read(ref _failures);
        await connection.GetSubscriber().SubscribeAsync(channel, Deliver).ConfigureAwait(false);
        Volatile.Write(ref _confirmed, failures);
        return true;
    }

    private void Deliver(RedisChannel from, RedisValue value)
    {
        if (Message.Parse((byte[]?)value) is not { } message) return;
        if (message.Kind != MessageKind.Echo)
        {
            mailbox.Deliver(message);
        }
        else if (message.Token == Volatile.Read(ref _failures))
        {
            Volatile.Write(ref _confirmed, message.Token);
            mailbox.WakeAll(); // messages may have been lost before
        }
    }
}
