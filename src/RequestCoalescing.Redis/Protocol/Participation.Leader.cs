using System.Runtime.CompilerServices;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The part of a flight that leads for the cluster. The work sees its flight through this object.</summary>
internal sealed partial class Participation : IFlight
{
    private const int NotWorking = 0;
    private const int Working = 1;
    private const int Worked = 2;

    private int _work;
    private long _workedUntil;
    private CancellationTokenSource? _cancelled; // null if the work goes on after the lease is lost
    private CancellationTokenRegistration _abandonment;

    public CancellationToken CancellationToken => _cancelled?.Token ?? flight.CancellationToken;

    public bool IsCurrent => flight.IsCurrent && lease.IsHeld;

    /// <summary>Whether the flight is cancelled: its callers have all left, it has expired, or its node is disposed.</summary>
    public bool IsCancelled => flight.CancellationToken.IsCancellationRequested;

    public int SubscriberCount => flight.SubscriberCount;

    /// <summary>The epoch of the lease with which this leads, while its work goes on. Null before and after.</summary>
    public LeaseEpoch? WorkEpoch => Volatile.Read(ref _work) == Working ? lease.Epoch : null;

    /// <summary>A timestamp from after the end of the last <see cref="WorkEpoch"/>. Call it when the flight has landed.</summary>
    public long WorkedUntil()
    {
        EndWork(); // if the flight has expired, its work may still go on
        return Volatile.Read(ref _workedUntil) is not 0 and var until ? until : Clock.GetTimestamp();
    }

    public async ValueTask<bool> ConfirmCurrentAsync()
    {
        if (!IsCurrent) return false;
        try
        {
            node.Telemetry.RoundTrip();
            return (string?)await node.Commands.AnswerAsync(node.Commands.Database.StringGetAsync(Names.Lease, Commands.Flags)).ConfigureAwait(false) == lease.Value && IsCurrent;
        }
        catch (Exception)
        {
            return false;
        }
    }

    /// <summary>
    /// Point 4: hands the outcome to the other nodes, if the lease still holds. Does not fail. The callers of this node get the outcome after this has
    /// completed. So if one of them passes the outcome on, and its receiver calls on any node, that call starts a new flight.
    /// </summary>
    /// <param name="payload">The outcome. Null if it is for this node alone, so that another node leads.</param>
    /// <returns>The latest time at which the outcome was certainly neither published nor forgotten, as a timestamp.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<long> PublishAsync(byte[]? payload)
    {
        EndWork();
        lease.TryEnd();
        var (isHeld, hasSent) = (false, false);
        var sentAt = lease.Granted.SentAt;
        int? answer = null;
        try
        {
            isHeld = lease.IsHeld;
            if (isHeld && payload is not null) await AnchorAsync().ConfigureAwait(false);
            sentAt = Clock.GetTimestamp();
            hasSent = true;
            answer = isHeld && payload is not null
                ? (int)await SendPublishAsync(payload, sentAt).ConfigureAwait(false)
                : (int)await SendAbandonAsync().ConfigureAwait(false); // the server may still hold it, and other nodes may wait for it
        }
        catch (Exception)
        {
            if (!hasSent) node.Commands.Follow(SendAbandonAsync()); // nothing was published
            else if (isHeld && payload is not null) await UntilRefusedAsync(sentAt).ConfigureAwait(false);
        }
        finally
        {
            node.Heartbeat.Remove(lease); // not earlier: if the server is slow, the lease must still be there when the publish arrives
        }

        if (payload is not null && !(isHeld && answer == Scripts.Done)) node.Telemetry.LostLease(lease.Late);
        return answer is null or Scripts.Forgotten ? lease.Granted.SentAt : sentAt;
    }

    /// <summary>Point 7: gives the lease up, so that another node leads at once. Has no effect after a publish.</summary>
    public void Abandon()
    {
        if (!lease.TryEnd()) return;
        node.Heartbeat.Remove(lease);
        node.Commands.Follow(SendAbandonAsync());
        lease.GiveUp();
    }

    private void Lead()
    {
        if (Options.OnLostLease == LostLeaseBehavior.Cancel) _cancelled = CancellationTokenSource.CreateLinkedTokenSource(flight.CancellationToken);
        lease.WhenLost(OnLost);
        node.Telemetry.Acquired(isTakeover: _bound > 0);
        Interlocked.CompareExchange(ref _work, Working, NotWorking);
        _abandonment = flight.CancellationToken.UnsafeRegister(static self => ((Participation)self!).Abandon(), this); // all callers of this node have left
    }

    // A caller that has seen the work go on has come before the exchange, which is a full fence, and so before the time that is read after it.
    private void EndWork()
    {
        if (Interlocked.Exchange(ref _work, Worked) == Worked) return;
        try
        {
            Volatile.Write(ref _workedUntil, Clock.GetTimestamp());
        }
        catch (Exception)
        {
            // The clock has failed. WorkedUntil asks it again, which is later.
        }
    }

    private void StopLeading()
    {
        _abandonment.Dispose();
        Abandon();
        lease.GiveUp();
        _cancelled?.Dispose();
    }

    // Point 3: the lease was lost. New callers must not join a flight that is no longer current.
    private void OnLost()
    {
        ForgetHere();
        try
        {
            _cancelled?.Cancel();
        }
        catch (Exception)
        {
            // The flight is over, or a callback that the work has registered fails.
        }
    }

    private ValueTask<StackExchange.Redis.RedisResult> SendPublishAsync(byte[] payload, long sentAt) =>
        node.Commands.RunAsync(
            Scripts.Publish,
            [Names.Lease, Names.Last, Names.Outcome, Names.Waiting],
            [
                lease.Value, node.Name, Names.Key, node.Channels, lease.Token, payload, (long)Options.OutcomeRetention.TotalMilliseconds,
                ServerTimeAt(sentAt, Options.CommandTimeout), Options.MaxMessageBytes,
            ]);

    // The other nodes may or may not get the outcome. Those that wait find out when they look. The callers of this node get it only when the
    // publish would refuse itself. Otherwise one of them could pass the outcome on, and a later call on another node could get the same one.
    private async Task UntilRefusedAsync(long sentAt)
    {
        try
        {
            while (Options.CommandTimeout - Clock.GetElapsedTime(sentAt) is var left && left > TimeSpan.Zero)
            {
                await Task.Delay(left + TimeSpan.FromMilliseconds(1), Clock).ConfigureAwait(false);
            }
        }
        catch (Exception)
        {
            // The clock has failed, too.
        }
    }

    // It fails only through its task, also if the connection is disposed.
    private async Task<StackExchange.Redis.RedisResult> SendAbandonAsync() =>
        await node.Commands.RunAsync(Scripts.Abandon, [Names.Lease, Names.Last, Names.Waiting], [lease.Value, node.Name, Names.Key, node.Channels]).ConfigureAwait(false);

    // The server's time at a moment of this node's clock, or a little earlier: the clocks' speeds differ by at most a hundredth.
    private long ServerTimeAt(long timestamp, TimeSpan later)
    {
        var granted = lease.Granted;
        return granted.ServerTime + (long)((Clock.GetElapsedTime(granted.HeardAt, timestamp) + later).TotalMicroseconds * 0.99);
    }

    // Asks for the server's time once more if the last answer is too old, or was too slow, to tell when the publish must refuse itself. That is
    // so with long leases.
    private async ValueTask AnchorAsync()
    {
        var (askedAt, heardAt) = (lease.Granted.SentAt, lease.Granted.HeardAt);
        if (Clock.GetElapsedTime(heardAt) < Options.CommandTimeout * 25 && Clock.GetElapsedTime(askedAt, heardAt) < Options.CommandTimeout / 4) return;
        await new Extension([lease], Options).SendAsync(node.Commands.Database).WaitAsync(Options.CommandTimeout, Clock).ConfigureAwait(false);
    }
}
