using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Extends the leases of this node before they are half over, all that are due in one command. Without leases there is no beat, and soon no thread.
/// </summary>
/// <remarks>
/// It beats on a thread of its own: timers, and whatever the connection sends and hears, wait for the thread pool, and a node whose pool is busy
/// would lose its leases. An answer that the connection does not bring in time is asked for once more, over a line that needs that thread alone.
/// The thread sleeps by the machine's clock, for the same reason; what is due it judges by the options' clock.
/// </remarks>
internal sealed class Heartbeat(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry) : IDisposable
{
    private const int MostAtOnce = 100; // a script keeps the server from everything else

    private readonly TimeSpan _due = options.LeaseDuration / 4;
    private readonly TimeSpan _grace = options.LeaseDuration / 12;
    private readonly object _gate = new();
    private readonly HashSet<Lease> _leases = [];
    private Thread? _thread;
    private bool _isDisposed;

    public void Add(Lease lease)
    {
        lock (_gate)
        {
            _leases.Add(lease);
            if (_thread is not null || _isDisposed) return;
            _thread = new Thread(static self => ((Heartbeat)self!).Run()) { IsBackground = true, Name = "RequestCoalescing heartbeat", Priority = ThreadPriority.AboveNormal };
            _thread.UnsafeStart(this);
        }
    }

    /// <returns>Whether it was there.</returns>
    public bool Remove(Lease lease)
    {
        lock (_gate) return _leases.Remove(lease);
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
            if (lease.Token > 0 && lease.Token < before) lease.Lose();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Run()
    {
        using var lines = new Lines(connection, options.LeaseDuration / 2, telemetry);
        var sent = Task.CompletedTask;
        var idleSince = options.TimeProvider.GetTimestamp();
        while (true)
        {
            Lease[] leases;
            lock (_gate)
            {
                leases = [.. _leases.Where(static lease => !lease.IsLost)];
                if (_leases.Count > 0) idleSince = options.TimeProvider.GetTimestamp();
                if (_isDisposed || options.TimeProvider.GetElapsedTime(idleSince) > options.LeaseDuration)
                {
                    _thread = null;
                    return;
                }

                // A lease that comes meanwhile is not due before this is over.
                var wait = _due - (leases.Length == 0 ? TimeSpan.Zero : leases.Max(static lease => lease.SinceAsked));
                if (wait > TimeSpan.Zero)
                {
                    Monitor.Wait(_gate, wait);
                    continue;
                }
            }

            sent = Beat(leases, lines, sent);
        }
    }

    // Answers with what it has sent over the connection and not heard yet.
    private Task Beat(Lease[] leases, Lines lines, Task unheard)
    {
        foreach (var lease in leases.Where(static lease => lease is { Token: > 0, IsHeld: false })) lease.Lose();
        var beats = leases
            .Where(lease => !lease.IsLost && lease.SinceAsked > _due / 2)
            .GroupBy(lease => connection.GetHashSlot(lease.Names.Lease))
            .SelectMany(static slot => slot.Chunk(MostAtOnce))
            .Select(chunk => new Extension(chunk, options))
            .ToArray();
        if (unheard.IsCompleted)
        {
            var heard = beats.Select(extension => extension.SendAsync(connection.GetDatabase())).ToArray();
            unheard = Task.WhenAll(heard);
            unheard.Wait(_grace); // this thread has nothing else to do, and nobody needs it for the answer
            beats = [.. beats.Where((_, i) => !heard[i].IsCompletedSuccessfully || !heard[i].Result)];
        }

        if (beats.Length > 0) lines.Send(beats);
        return unheard;
    }
}
