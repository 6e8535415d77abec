namespace RequestCoalescing.Redis.Protocol;

/// <summary>Brings messages to those flights of this node that they are about.</summary>
internal sealed class Mailbox(string node, Heartbeat heartbeat, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<Waiter>> _waiters = [];

    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_gate) return [.. _waiters.Keys];
        }
    }

    public Waiter Register(string key, Action forget)
    {
        var waiter = new Waiter(clock, forget);
        lock (_gate)
        {
            if (!_waiters.TryGetValue(key, out var waiters)) _waiters.Add(key, waiters = []);
            waiters.Add(waiter);
        }

        return waiter;
    }

    public void Unregister(string key, Waiter waiter)
    {
        lock (_gate)
        {
            if (!_waiters.TryGetValue(key, out var waiters)) return;
            waiters.Remove(waiter);
            if (waiters.Count == 0) _waiters.Remove(key);
        }
    }

    public void Deliver(Message message)
    {
        Waiter[] waiters;
        lock (_gate) waiters = _waiters.TryGetValue(message.Key, out var found) ? [.. found] : [];
        if (message.Kind == MessageKind.Forgotten && message.ReadForgotten() is { } forgotten && forgotten.Node != node)
        {
            // Drawn by another node: this one's leader is not current any more, and its callers that come from now on start anew as well.
            foreach (var waiter in waiters)
            {
                if (waiter.Token < forgotten.Token) waiter.Forget();
            }

            heartbeat.Lose(message.Key, forgotten.Token);
        }

        foreach (var waiter in waiters) waiter.Wake(message);
    }

    public void WakeAll()
    {
        Waiter[] all;
        lock (_gate) all = [.. _waiters.Values.SelectMany(waiters => waiters)];
        foreach (var waiter in all) waiter.Wake(null);
    }
}
