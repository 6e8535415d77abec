using RequestCoalescing.Redis.Payloads;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Coalesces the flights of all nodes, around an engine that coalesces the calls of this one: what that runs once a node, this lets one of
/// the nodes run, and the others wait for.
/// </summary>
internal sealed class ClusterSingleflight<TKey> : SingleflightBase<TKey>, IAsyncDisposable
    where TKey : notnull
{
    private static readonly TimeSpan s_longestPoll = TimeSpan.FromSeconds(1);

    private readonly ISingleflight<TKey> _inner;
    private readonly Func<TKey, string> _textOf;
    private readonly RedisSingleflightOptions _options;
    private readonly TimeSpan _joinWindow;
    private readonly ClusterTelemetry _telemetry;
    private readonly Payload _payload;
    private readonly Cluster _cluster;
    private readonly IConnectionMultiplexer? _ownedConnection;

    public ClusterSingleflight(
        ISingleflight<TKey> inner,
        IConnectionMultiplexer connection,
        Func<TKey, string> textOf,
        RedisSingleflightOptions options,
        TimeSpan joinWindow,
        ClusterTelemetry telemetry,
        bool ownsConnection = false)
    {
        options.Validate();
        (_inner, _textOf, _options, _joinWindow, _telemetry) = (inner, textOf, options, joinWindow, telemetry);
        _ownedConnection = ownsConnection ? connection : null;
        _payload = new Payload(options);
        _cluster = new Cluster(connection, options, telemetry);
    }

    public override void Clear()
    {
        var names = _cluster.Keys.Select(key => new Names(_options.KeyPrefix, key)).Select(name => (Name: name, Held: _cluster.LeasesOf(name))).ToList();
        _inner.Clear();
        foreach (var (name, held) in names) _ = _cluster.ForgetAsync(name, held);
    }

    public override SingleflightStats GetStats() => _inner.GetStats();

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync().ConfigureAwait(false);
        if (_ownedConnection is not null) await _ownedConnection.DisposeAsync().ConfigureAwait(false);
        _telemetry.Dispose();
    }

    /// <summary>Forgets for the cluster, and completes when the line is drawn.</summary>
    public Task ForgetAsync(TKey key)
    {
        var names = NamesOf(key);
        var held = _cluster.LeasesOf(names);
        _inner.Forget(key);
        return _cluster.ForgetAsync(names, held);
    }

    protected override bool ForgetCore(TKey key)
    {
        var names = NamesOf(key);
        var held = _cluster.LeasesOf(names);
        var had = _inner.Forget(key);
        _ = _cluster.ForgetAsync(names, held);
        return had;
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        _inner.ExecuteAsync(
            key,
            (Self: this, Key: key, State: state, Work: work),
            static (call, flight) => call.Self.FlyAsync(call.Key, call.State, call.Work, flight),
            cancellationToken);

    private async ValueTask<TResult> FlyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        if (!flight.IsCurrent) return await work(state, flight).ConfigureAwait(false); // it runs alone: nobody joins it, here or elsewhere

        var names = NamesOf(key);
        var owner = _cluster.NewOwner();
        void Forget()
        {
            if (flight.IsCurrent) _inner.Forget(key);
        }

        var waiter = _cluster.Register(names.Key, Forget);
        try
        {
            var bound = 0L;
            var isRetry = false;
            var poll = _options.PollInterval;
            while (true)
            {
                flight.CancellationToken.ThrowIfCancellationRequested();
                Entry entry;
                Lease? lease;
                try
                {
                    (entry, lease) = await _cluster.EnterAsync(names, owner, bound, _joinWindow).ConfigureAwait(false);
                }
                catch (RedisConnectionException) when (!isRetry)
                {
                    isRetry = true; // the reply may be what was lost; a lease that was granted is granted again
                    continue;
                }
                catch (Exception exception)
                {
                    return await FlyAloneAsync(state, work, flight, exception).ConfigureAwait(false);
                }

                if (lease is not null)
                {
                    waiter.Token = lease.Token;
                    using (lease)
                    using (lease.Lost.UnsafeRegister(_ => Forget(), null)) // whoever comes now is not to join what is not current any more
                    {
                        try
                        {
                            _telemetry.Acquired(isTakeover: bound > 0);
                            return await LeadAsync(lease, state, work, flight).ConfigureAwait(false);
                        }
                        finally
                        {
                            _cluster.Abandon(lease); // unless it is published
                        }
                    }
                }

                if (entry.Token != bound) (waiter.Token, bound, poll) = (entry.Token, entry.Token, _options.PollInterval);
                var outcome = entry.What == Scripts.Outcome ? entry.Payload : waiter.OutcomeOf(bound);
                if (outcome is null)
                {
                    // Whichever is first: a message, the connection's return, the lease's end (with some jitter, for all wait for it), a look.
                    var jitter = TimeSpan.FromMilliseconds(Random.Shared.Next(5, 50));
                    var wait = entry.LeaseLeft + jitter < poll ? entry.LeaseLeft + jitter : poll;
                    await waiter.WaitAsync(wait > TimeSpan.Zero ? wait : jitter, flight.CancellationToken).ConfigureAwait(false);
                    poll = poll * 2 < s_longestPoll ? poll * 2 : s_longestPoll;
                    outcome = waiter.OutcomeOf(bound);
                }

                if (outcome is not { } landed) continue;
                _telemetry.Followed();
                if (waiter.LandedAt is { } landedAt) _telemetry.HandedOver(_options.TimeProvider.GetElapsedTime(landedAt));
                if (_payload.TryRead<TResult>(landed, out var result)) return result;
                return await work(state, flight).ConfigureAwait(false); // it cannot cross: once a node, then
            }
        }
        finally
        {
            _cluster.Unregister(names.Key, waiter);
        }
    }

    private async ValueTask<TResult> LeadAsync<TState, TResult>(
        Lease lease,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        using (var linked = _options.OnLostLease == LostLeaseBehavior.Cancel
            ? CancellationTokenSource.CreateLinkedTokenSource(flight.CancellationToken, lease.Lost)
            : null)
        using (flight.CancellationToken.UnsafeRegister(_ => _cluster.Abandon(lease), null)) // nobody waits here, or not for this any more
        {
            flight.CancellationToken.ThrowIfCancellationRequested();
            TResult result;
            try
            {
                result = await work(state, new FlightContext(new ClusterFlight(flight, lease, linked?.Token ?? flight.CancellationToken))).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                _cluster.Abandon(lease); // somebody's cancellation is nobody else's error: another node leads
                throw;
            }
            catch (Exception exception)
            {
                await _cluster.PublishAsync(lease, ToPayload(() => _payload.OfError(exception))).ConfigureAwait(false);
                throw;
            }

            await _cluster.PublishAsync(lease, ToPayload(() => _payload.OfValue(result))).ConfigureAwait(false);
            return result;
        }
    }

    private async ValueTask<TResult> FlyAloneAsync<TState, TResult>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight,
        Exception outage)
    {
        _telemetry.OutageFlight(outage);
        if (_options.OnOutage == OutageBehavior.Fail) throw new ClusterUnavailableException(outage);
        return await work(state, flight).ConfigureAwait(false);
    }

    // What cannot be written is no failure of the flight: the other nodes make it themselves.
    private static byte[] ToPayload(Func<byte[]> write)
    {
        try
        {
            return write();
        }
        catch (Exception)
        {
            return Payload.OfNotSent;
        }
    }

    private Names NamesOf(TKey key) => new(_options.KeyPrefix, Names.Injective(_textOf(key)));
}
