using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>Extends the leases of this node at a third of their time, all in one batch. Without leases there is no beat.</summary>
internal sealed class Heartbeat : IDisposable
{
    private readonly Func<IDatabase> _database;
    private readonly RedisSingleflightOptions _options;
    private readonly Lock _gate = new();
    private readonly HashSet<Lease> _leases = [];
    private readonly ITimer _timer;

    public Heartbeat(Func<IDatabase> database, RedisSingleflightOptions options)
    {
        (_database, _options) = (database, options);
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _timer = options.TimeProvider.CreateTimer(static self => ((Heartbeat)self!).Beat(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public void Add(Lease lease)
    {
        lock (_gate)
        {
            _leases.Add(lease);
            if (_leases.Count == 1) _timer.Change(_options.LeaseDuration / 3, _options.LeaseDuration / 3);
        }
    }

    /// <returns>Whether it was there.</returns>
    public bool Remove(Lease lease)
    {
        lock (_gate)
        {
            if (!_leases.Remove(lease)) return false;
            if (_leases.Count == 0) _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return true;
        }
    }

    public Lease[] LeasesOf(string key)
    {
        lock (_gate) return [.. _leases.Where(lease => lease.Names.Key == key)];
    }

    /// <summary>The leases of a key before a token are lost.</summary>
    public void Lose(string key, long before)
    {
        foreach (var lease in LeasesOf(key))
        {
            if (lease.Token < before) lease.Lose();
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Beat()
    {
        try
        {
            Lease[] leases;
            lock (_gate) leases = [.. _leases];
            var sentAt = _options.TimeProvider.GetTimestamp();
            var batch = _database().CreateBatch();
            var answers = new List<(Lease Lease, Task<RedisResult> Holds)>();
            foreach (var lease in leases)
            {
                if (lease.IsHeld) answers.Add((lease, batch.ScriptEvaluateAsync(Scripts.Extend, [lease.Names.Lease], [lease.Value, (long)_options.LeaseDuration.TotalMilliseconds])));
                else lease.Lose();
            }

            batch.Execute();
            foreach (var (lease, holds) in answers) _ = HearAsync(lease, holds, sentAt);
        }
        catch (Exception)
        {
            // Not extended: the next beat tries again, or finds that the time is over.
        }
    }

    private async Task HearAsync(Lease lease, Task<RedisResult> holds, long sentAt)
    {
        try
        {
            if ((long)await holds.ConfigureAwait(false) is > 0 and var serverTime) lease.Renew(new Grant(sentAt, _options.TimeProvider.GetTimestamp(), serverTime));
            else lease.Lose();
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
