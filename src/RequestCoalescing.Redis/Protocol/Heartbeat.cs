using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Extends the leases of this node before they are half over, all that are due in one command (point 3 of the protocol). Its thread ends soon after the last lease.
/// </summary>
/// <remarks>
/// It has a thread of its own. Timers and the connection need the thread pool, so that a node with a busy pool would lose its leases. If the connection
/// brings no answer in time, the thread asks again over a line that needs no other thread. For the same reason the thread sleeps by the machine's
/// clock; it uses the options' clock to decide which leases are due.
/// </remarks>
internal sealed class Heartbeat(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry) : IDisposable
{
    private const int MostAtOnce = 100; // the server does nothing else while it runs a script

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
            var thread = new Thread(static self => ((Heartbeat)self!).Run()) { IsBackground = true, Name = "RequestCoalescing heartbeat", Priority = ThreadPriority.AboveNormal };
            thread.UnsafeStart(this);
            _thread = thread; // the next lease tries again if the system has no thread left
        }
    }

    /// <returns>False if it was not there.</returns>
    public bool Remove(Lease lease)
    {
        lock (_gate) return _leases.Remove(lease);
    }

    public Lease[] LeasesOf(string key)
    {
        lock (_gate) return [.. _leases.Where(lease => lease.Names.Key == key)];
    }

    /// <summary>Marks the leases of a key whose token is smaller as lost.</summary>
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
        using var lines = new Lines(connection, options.LeaseDuration / 4, telemetry); // a line that fails leaves time for another
        var sent = Task.CompletedTask;
        var idleSince = default(long?);
        while (true)
        {
            try
            {
                if (WaitUntilDue(ref idleSince) is not { } leases) return;
                sent = Beat(leases, lines, sent);
            }
            catch (Exception)
            {
                Pause(_due); // the clock has failed; an exception here would end the process
            }
        }
    }

    // Returns null if this thread is no longer needed.
    private Lease[]? WaitUntilDue(ref long? idleSince)
    {
        lock (_gate)
        {
            while (!_isDisposed)
            {
                Lease[] leases = [.. _leases.Where(static lease => !lease.IsLost)];
                if (_leases.Count > 0 || idleSince is null) idleSince = options.TimeProvider.GetTimestamp();
                if (options.TimeProvider.GetElapsedTime(idleSince.Value) > options.LeaseDuration) break;

                // A lease that is added meanwhile is not due before this wait is over.
                var wait = _due - (leases.Length == 0 ? TimeSpan.Zero : leases.Max(static lease => lease.SinceAsked));
                if (wait <= TimeSpan.Zero) return leases;
                Monitor.Wait(_gate, wait + TimeSpan.FromMilliseconds(1)); // it counts whole milliseconds, and does not wait for a part of one
            }

            _thread = null;
            return null;
        }
    }

    // Returns a task that completes when the connection has brought every answer.
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
            unheard.Wait(_grace); // this thread has nothing else to do, and the answer does not need it
            beats = [.. beats.Where((_, i) => !heard[i].IsCompletedSuccessfully || !heard[i].Result)];
        }

        if (beats.Length > 0 && !lines.Send(beats)) Pause(_grace); // those that were not sent are still due
        return unheard;
    }

    private void Pause(TimeSpan duration)
    {
        lock (_gate) Monitor.Wait(_gate, duration);
    }
}
