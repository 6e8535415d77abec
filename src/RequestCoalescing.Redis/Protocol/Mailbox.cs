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

    public Waiter Register(Lease lease, Action forget)
    {
        var waiter = new Waiter(lease, clock, forget);
        lock (_gate)
        {
            if (!_waiters.TryGetValue(lease.Names.Key, out var waiters)) _waiters.Add(lease.Names.Key, waiters = new(1));
            waiters.Add(waiter);
        }

        return waiter;
    }

    public void Unregister(Waiter waiter)
    {
        var key = waiter.Lease.Names.Key;
        lock (_gate)
        {
            if (!_waiters.TryGetValue(key, out var waiters)) return;
            waiters.Remove(waiter);
            if (waiters.Count == 0) _waiters.Remove(key);
        }
    }

    /// <summary>The other flights of the key on this node whose leases are respected, as <see cref="Scripts.Enter"/> takes them.</summary>
    public string RespectedBy(Waiter waiter)
    {
        lock (_gate)
        {
            if (!_waiters.TryGetValue(waiter.Lease.Names.Key, out var waiters) || waiters.Count == 1) return "";
            return string.Concat(waiters.Where(other => other != waiter && other.IsRespected).Select(static other => other.Lease.Owner + " "));
        }
    }

    public void Deliver(Message message)
    {
        Waiter[] waiters;
        lock (_gate) waiters = _waiters.TryGetValue(message.Key, out var found) ? [.. found] : [];
        if (message.Kind == MessageKind.Forgotten && message.Node != node)
        {
            // Drawn by another node: this one's leader is not current any more, and its callers that come from now on start anew as well.
            foreach (var waiter in waiters) waiter.Forget(message.Token);
            heartbeat.Lose(message.Key, message.Token);
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
