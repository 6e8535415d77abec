using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>This node's one subscription, for all keys; confirmed before its first flight asks for anything. One that failed is tried again.</summary>
internal sealed class Subscription(IConnectionMultiplexer connection, RedisChannel channel, Commands commands, Mailbox mailbox)
{
    private readonly Lock _gate = new();
    private Task? _subscribing;

    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async Task EnsureAsync()
    {
        Task subscribing;
        lock (_gate)
        {
            if (_subscribing is null or { IsFaulted: true } or { IsCanceled: true })
            {
                if (_subscribing is not null) _ = connection.GetSubscriber().UnsubscribeAsync(channel, Deliver, CommandFlags.FireAndForget); // it may have been noted all the same
                _subscribing = connection.GetSubscriber().SubscribeAsync(channel, Deliver);
            }

            subscribing = _subscribing;
        }

        if (!subscribing.IsCompletedSuccessfully) await commands.AwaitAsync(subscribing).ConfigureAwait(false);
    }

    public async Task EndAsync(TimeSpan timeout, TimeProvider clock)
    {
        if (_subscribing is null) return;
        try
        {
            await connection.GetSubscriber().UnsubscribeAsync(channel, Deliver).WaitAsync(timeout, clock).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and the subscription with it.
        }
    }

    private void Deliver(RedisChannel from, RedisValue value)
    {
        if (Message.Parse((byte[]?)value) is { } message) mailbox.Deliver(message);
    }
}
