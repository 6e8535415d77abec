using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
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
    private readonly long[] _arrivals = new long[256];
    private readonly ConditionalWeakTable<Exception, ConcurrentDictionary<TKey, long>> _errors = [];

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

    /// <summary>Notes that a caller comes.</summary>
    /// <returns>When, as a timestamp.</returns>
    public long Arrive(TKey key)
    {
        var now = _options.TimeProvider.GetTimestamp();
        Volatile.Write(ref LastArrival(key), now);
        return now;
    }

    /// <summary>Joins or leads the flight of this node.</summary>
    public ValueTask<Landing<TResult>> BoardAsync<TState, TResult>(TKey key, Call<TKey, TState, TResult> call, CancellationToken cancellationToken) =>
        _inner.ExecuteAsync(key, call, static (call, flight) => call.FlyAsync(flight), cancellationToken);

    /// <summary>As <see cref="Landing{TResult}.Until"/>, of an error.</summary>
    public long UntilOf(Exception error, TKey key) =>
        _errors.TryGetValue(error, out var landings) && landings.TryGetValue(key, out var until) ? until : long.MaxValue;

    /// <summary>The work of this node's flight: leads for the cluster, or waits for the node that does.</summary>
    public async ValueTask<Landing<TResult>> FlyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        if (!flight.IsCurrent) return Landing.Here(await work(state, flight).ConfigureAwait(false)); // it runs alone: nobody joins it, here or elsewhere

        var names = NamesOf(key);
        var owner = _cluster.NewOwner();
        void Forget()
        {
            if (flight.IsCurrent) _inner.Forget(key);
        }

        var waiter = _cluster.Register(names.Key, Forget);
        try
        {
            var (bound, until) = (0L, 0L);
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
                catch (Exception outage)
                {
                    if (waiter.OutcomeOf(bound) is { } heard) return await FollowAsync(waiter, heard, until, key, state, work, flight).ConfigureAwait(false);
                    return await FlyAloneAsync(state, work, flight, outage).ConfigureAwait(false);
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
                            return await LeadAsync(lease, key, state, work, flight).ConfigureAwait(false);
                        }
                        finally
                        {
                            _cluster.Abandon(lease); // unless it is published
                        }
                    }
                }

                until = Math.Max(until, entry.Until);
                if (entry.What == Scripts.Outcome) return await FollowAsync(waiter, entry.Payload, until, key, state, work, flight).ConfigureAwait(false);
                if (entry.Token != bound) (waiter.Token, bound, poll) = (entry.Token, entry.Token, _options.PollInterval);
                if (waiter.OutcomeOf(bound) is null)
                {
                    // Whichever is first: a message, the connection's return, the lease's end (with some jitter, for all wait for it), a look.
                    var jitter = TimeSpan.FromMilliseconds(Random.Shared.Next(5, 50));
                    var wait = entry.LeaseLeft + jitter < poll ? entry.LeaseLeft + jitter : poll;
                    await waiter.WaitAsync(wait > TimeSpan.Zero ? wait : jitter, flight.CancellationToken).ConfigureAwait(false);
                    poll = poll * 2 < s_longestPoll ? poll * 2 : s_longestPoll;
                }

                // It landed after the last look. Whoever came since gets it only if they came before it landed: another look tells when that was.
                if (waiter.OutcomeOf(bound) is { } outcome && Volatile.Read(ref LastArrival(key)) <= until)
                {
                    return await FollowAsync(waiter, outcome, until, key, state, work, flight).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _cluster.Unregister(names.Key, waiter);
        }
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        new Call<TKey, TState, TResult>(this, key, state, work, cancellationToken).StartAsync();

    private async ValueTask<Landing<TResult>> LeadAsync<TState, TResult>(
        Lease lease,
        TKey key,
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
                Note(exception, key, await _cluster.PublishAsync(lease, ToPayload(() => _payload.OfError(exception), exception.GetType())).ConfigureAwait(false));
                throw;
            }

            return new(result, await _cluster.PublishAsync(lease, ToPayload(() => _payload.OfValue(result), typeof(TResult))).ConfigureAwait(false));
        }
    }

    private async ValueTask<Landing<TResult>> FollowAsync<TState, TResult>(
        Waiter waiter,
        ReadOnlyMemory<byte> outcome,
        long until,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        _telemetry.Followed();
        if (waiter.LandedAt is { } landedAt) _telemetry.HandedOver(_options.TimeProvider.GetElapsedTime(landedAt));
        try
        {
            if (_payload.TryRead<TResult>(outcome, out var result)) return new(result, until);
        }
        catch (RemoteFlightException error)
        {
            Note(error, key, until);
            throw;
        }

        return Landing.Here(await work(state, flight).ConfigureAwait(false)); // it cannot cross: once a node, then
    }

    private async ValueTask<Landing<TResult>> FlyAloneAsync<TState, TResult>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight,
        Exception outage)
    {
        _telemetry.OutageFlight(outage);
        if (_options.OnOutage == OutageBehavior.Fail) throw new ClusterUnavailableException(outage);
        return Landing.Here(await work(state, flight).ConfigureAwait(false));
    }

    private void Note(Exception error, TKey key, long until) => _errors.GetOrCreateValue(error)[key] = until;

    // Of this key, or of another that shares the place with it: that costs a look.
    private ref long LastArrival(TKey key) => ref _arrivals[key.GetHashCode() & (_arrivals.Length - 1)];

    // What cannot be written is no failure of the flight: the other nodes make it themselves.
    private byte[] ToPayload(Func<byte[]> write, Type type)
    {
        try
        {
            return write();
        }
        catch (Exception exception)
        {
            _telemetry.CannotBeWritten(type, exception);
            return Payload.OfNotSent;
        }
    }

    private Names NamesOf(TKey key) => new(_options.KeyPrefix, Names.Injective(_textOf(key)));
}
