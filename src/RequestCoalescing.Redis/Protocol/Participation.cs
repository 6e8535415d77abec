using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The part that one flight of a node takes in the cluster. It enters. Then it leads, or it waits and enters again, until it has an outcome.
/// Point numbers in comments are those of the protocol in <c>docs/cluster.md</c>.
/// </summary>
internal sealed partial class Participation(Node node, Lease lease, FlightContext flight, Action forget) : IDisposable
{
    private readonly Lock _gate = new();
    private Task<RedisResult>? _asked;
    private long _bound; // the token that this flight waits for; 0 while it waits for none

    public Names Names => lease.Names;

    /// <summary>The lease that this flight asks for, or leads with.</summary>
    public Lease Lease => lease;

    /// <summary>Whether this is the part that the given flight of this node takes.</summary>
    public bool IsOf(IFlight other) => flight.IsOf(other);

    private RedisSingleflightOptions Options => node.Options;

    private TimeProvider Clock => node.Options.TimeProvider;

    /// <summary>Enters, and waits and enters again, until this flight leads or has an outcome.</summary>
    /// <returns>The entry that says which of the two; never a wait.</returns>
    /// <exception cref="ClusterUnavailableException">Redis cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">The flight was cancelled.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Entry> JoinAsync()
    {
        var until = 0L;
        var isRetry = false;
        var poll = Options.PollInterval;
        while (true)
        {
            flight.CancellationToken.ThrowIfCancellationRequested();
            _hasAskedClosed = !flight.IsCurrent;
            Entry entry;
            try
            {
                entry = await EnterAsync().ConfigureAwait(false);
            }
            catch (RedisConnectionException) when (!isRetry)
            {
                isRetry = true; // perhaps only the reply was lost; a lease that was granted is granted again
                continue;
            }
            catch (Exception outage)
            {
                Withdraw();
                if (LandedSince(_bound) is { } heard) return new Entry(Scripts.Outcome, heard.Token, until, heard.Rest);
                node.Telemetry.OutageFlight(outage);
                throw new ClusterUnavailableException(outage);
            }

            if (entry.What == Scripts.Lead)
            {
                Lead();
                return entry;
            }

            until = Math.Max(until, entry.Until);
            if (entry.What == Scripts.Outcome) return entry with { Until = until };
            if (entry.Token != _bound) (_bound, poll) = (entry.Token, Options.PollInterval);
            await WaitAsync(entry, NextLook(entry, ref poll)).ConfigureAwait(false);
            if (LandedSince(_bound) is { } landed) return new Entry(Scripts.Outcome, landed.Token, UntilOf(landed, entry), landed.Rest);
        }
    }

    /// <summary>Ends this part. A lease that is still held is given up.</summary>
    public void Dispose()
    {
        if (lease.Token > 0) StopLeading();
        node.Mailbox.Unregister(this);
        EndWork();
    }

    // Point 2. Fails if Redis cannot be reached.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Entry> EnterAsync()
    {
        node.Commands.ThrowIfOpen();
        await node.Subscription.EnsureAsync().ConfigureAwait(false);
        if (node.Forgets.Owed(Names) is { } forgotten) await node.Commands.AnswerAsync(forgotten).ConfigureAwait(false);
        var window = node.JoinWindow == Timeout.InfiniteTimeSpan ? 0 : Math.Max(1, (long)node.JoinWindow.TotalMicroseconds);
        var isGranted = false;
        var sentAt = lease.Ask();
        try
        {
            node.Heartbeat.Add(lease); // the server may grant it long before this node hears of that
            _asked = node.Commands.Send(
                Scripts.Enter,
                [Names.Lease, Names.Last, Names.Outcome, Names.Waiting],
                [lease.Owner, (long)Options.LeaseDuration.TotalMilliseconds, _bound, window, node.Name, node.Mailbox.RespectedBy(this)]);
            var answer = await node.Commands.AnswerAsync(_asked).ConfigureAwait(false);
            var entry = Entry.Read((byte[])answer!, sentAt, Clock);
            node.Telemetry.Reached();
            if (entry.What == Scripts.Lead)
            {
                lease.Grant(entry.Token, new Grant(sentAt, Clock.GetTimestamp(), entry.ServerTime));
                isGranted = true;
            }

            return entry;
        }
        finally
        {
            if (!isGranted) node.Heartbeat.Remove(lease);
        }
    }

    // Point 2: the answer to the last enter is lost. If the server grants the lease all the same, this gives it up.
    private void Withdraw()
    {
        if (_asked is { } asked) node.Commands.Follow(WithdrawAsync(asked));
    }

    private async Task WithdrawAsync(Task<RedisResult> asked)
    {
        await ((Task)asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it was sent first, so it is done first
        if (asked.IsCompletedSuccessfully && Entry.Read((byte[])asked.Result!, 0, Clock).What != Scripts.Lead) return;
        await node.Commands.Send(Scripts.Withdraw, [Names.Lease, Names.Waiting], [lease.Owner, Names.Key, node.Channels]).ConfigureAwait(false);
    }
}
