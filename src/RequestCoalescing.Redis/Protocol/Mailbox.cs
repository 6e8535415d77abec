namespace RequestCoalescing.Redis.Protocol;

/// <summary>Brings messages to those flights of this node that they concern.</summary>
internal sealed class Mailbox(string node, Heartbeat heartbeat)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<Participation>> _participations = [];

    /// <summary>The keys of the flights of this node that take part in the cluster now.</summary>
    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_gate) return [.. _participations.Keys];
        }
    }

    public void Register(Participation participation)
    {
        lock (_gate)
        {
            if (!_participations.TryGetValue(participation.Names.Key, out var sameKey)) _participations.Add(participation.Names.Key, sameKey = new(1));
            sameKey.Add(participation);
        }
    }

    public void Unregister(Participation participation)
    {
        lock (_gate)
        {
            if (!_participations.TryGetValue(participation.Names.Key, out var sameKey)) return;
            sameKey.Remove(participation);
            if (sameKey.Count == 0) _participations.Remove(participation.Names.Key);
        }
    }

    /// <summary>The part that a flight of this node takes in the cluster. Null if it takes none, or no longer.</summary>
    public Participation? Find(string key, IFlight flight) => Array.Find(Of(key), participation => participation.IsOf(flight));

    /// <summary>The owners of this node's other leases for the key that the flight respects, as <see cref="Scripts.Enter"/> takes them.</summary>
    public string RespectedBy(Participation participation)
    {
        lock (_gate)
        {
            if (!_participations.TryGetValue(participation.Names.Key, out var sameKey) || sameKey.Count == 1) return "";
            return string.Concat(sameKey.Where(other => other != participation && other.IsRespected).Select(static other => other.Lease.Owner + " "));
        }
    }

    public void Deliver(Message message)
    {
        var concerned = Of(message.Key);
        if (message.Kind == MessageKind.Forgotten && message.Node != node)
        {
            foreach (var participation in concerned) participation.Forget(message.Token);
            heartbeat.Lose(message.Key, message.Token);
        }

        foreach (var participation in concerned) participation.Wake(message);
    }

    /// <summary>Forgets the flights of a key on this node.</summary>
    public void Forget(string key)
    {
        foreach (var participation in Of(key)) participation.ForgetHere();
    }

    public void WakeAll()
    {
        Participation[] all;
        lock (_gate) all = [.. _participations.Values.SelectMany(sameKey => sameKey)];
        foreach (var participation in all) participation.Wake(null);
    }

    private Participation[] Of(string key)
    {
        lock (_gate) return _participations.TryGetValue(key, out var found) ? [.. found] : [];
    }
}
