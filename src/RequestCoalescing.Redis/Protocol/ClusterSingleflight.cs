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
    private readonly ISingleflight<TKey> _inner;
    private readonly Func<TKey, string> _textOf;
    private readonly RedisSingleflightOptions _options;
    private readonly TimeSpan _joinWindow;
    private readonly ClusterTelemetry _telemetry;
    private readonly Payload _payload;
    private readonly Cluster _cluster;
    private readonly IConnectionMultiplexer? _ownedConnection;
    private readonly Errors<TKey> _errors = new();

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
        _payload = new Payload(options, telemetry);
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
    public Task ForgetAsync(TKey key) => ForgetAsync(key, out _);

    /// <summary>Completes when the line is drawn for the cluster that this node has drawn.</summary>
    public Task ForgottenAsync(TKey key) => _cluster.ForgottenAsync(NamesOf(key));

    protected override bool ForgetCore(TKey key)
    {
        _ = ForgetAsync(key, out var had);
        return had;
    }

    private Task ForgetAsync(TKey key, out bool had)
    {
        var names = NamesOf(key);
        var held = _cluster.LeasesOf(names);
        had = _inner.Forget(key);
        return _cluster.ForgetAsync(names, held);
    }

    /// <summary>The time by this node's clock, as a timestamp.</summary>
    public long Now() => _options.TimeProvider.GetTimestamp();

    /// <summary>Joins or leads the flight of this node.</summary>
    public ValueTask<Landing<TResult>> BoardAsync<TState, TResult>(TKey key, Call<TKey, TState, TResult> call, CancellationToken cancellationToken) =>
        _inner.ExecuteAsync(key, call, static (call, flight) => call.FlyAsync(flight), cancellationToken);

    /// <summary>As <see cref="Landing{TResult}.Until"/>, of an error.</summary>
    public long UntilOf(Exception error, TKey key) => _errors.UntilOf(error, key);

    /// <summary>The work of this node's flight: leads for the cluster, or waits for the node that does.</summary>
    public async ValueTask<Landing<TResult>> FlyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        if (!flight.IsCurrent) return await LandHereAsync(key, state, work, flight).ConfigureAwait(false); // it runs alone: nobody joins it, here or elsewhere

        var lease = _cluster.NewLease(NamesOf(key));
        var asking = new Asking();
        void Forget()
        {
            if (flight.IsCurrent) _inner.Forget(key);
        }

        var waiter = _cluster.Register(lease, Forget);
        try
        {
            var (bound, until) = (0L, 0L);
            var isRetry = false;
            var poll = _options.PollInterval;
            while (true)
            {
                flight.CancellationToken.ThrowIfCancellationRequested();
                waiter.HasAskedClosed = !flight.IsCurrent;
                Entry entry;
                try
                {
                    entry = await _cluster.EnterAsync(waiter, bound, _joinWindow, asking).ConfigureAwait(false);
                }
                catch (RedisConnectionException) when (!isRetry)
                {
                    isRetry = true; // the reply may be what was lost; a lease that was granted is granted again
                    continue;
                }
                catch (Exception outage)
                {
                    _cluster.Withdraw(lease, asking);
                    if (bound > 0 && waiter.LandedSince(bound) is { } heard) return await FollowAsync(heard.Token, heard.Rest, until).ConfigureAwait(false);
                    _telemetry.OutageFlight(outage);
                    if (_options.OnOutage == OutageBehavior.Fail) throw new ClusterUnavailableException(outage);
                    return await LandHereAsync(key, state, work, flight).ConfigureAwait(false);
                }

                if (entry.What == Scripts.Lead)
                {
                    waiter.Token = lease.Token;
                    lease.WhenLost(Forget); // whoever comes now is not to join what is not current any more
                    try
                    {
                        _telemetry.Acquired(isTakeover: bound > 0);
                        return await LeadAsync(lease, key, state, work, flight, Forget).ConfigureAwait(false);
                    }
                    finally
                    {
                        _cluster.Abandon(lease); // unless it is published
                        lease.GiveUp();
                    }
                }

                until = Math.Max(until, entry.Until);
                if (entry.What == Scripts.Outcome) return await FollowAsync(entry.Token, entry.Payload, until).ConfigureAwait(false);
                if (entry.Token != bound) (waiter.Token, bound, poll) = (entry.Token, entry.Token, _options.PollInterval);
                await WaitAsync(waiter, entry, _cluster.NextLook(entry, ref poll), flight, Forget).ConfigureAwait(false);
                if (waiter.LandedSince(bound) is { } landed) return await FollowAsync(landed.Token, landed.Rest, UntilOf(landed, entry)).ConfigureAwait(false);
            }
        }
        finally
        {
            _cluster.Unregister(waiter);
        }

        async ValueTask<Landing<TResult>> FollowAsync(long token, ReadOnlyMemory<byte> outcome, long until)
        {
            _telemetry.Followed();
            if (waiter.LandedAt is { } landedAt) _telemetry.HandedOver(_options.TimeProvider.GetElapsedTime(landedAt));
            try
            {
                if (_payload.TryRead<TResult>(outcome, out var result)) return new(result, until);
            }
            catch (RemoteFlightException error)
            {
                _errors.Note(error, key, until);
                throw;
            }

            return await LandHereAsync(key, state, work, flight, () => UnlessForgottenAsync(lease.Names, token, until)).ConfigureAwait(false); // it cannot cross: once a node, then
        }
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        new Call<TKey, TState, TResult>(this, key, state, work, cancellationToken).StartAsync();

    // Until a message, the connection's return, or the next look. Meanwhile the time may end in which the flight may be joined: by its own
    // node's clock it took off when that node began to wait for it.
    private async ValueTask WaitAsync(Waiter waiter, Entry entry, TimeSpan untilLook, FlightContext flight, Action forget)
    {
        var joinable = _joinWindow == Timeout.InfiniteTimeSpan || !flight.IsCurrent ? TimeSpan.MaxValue : _joinWindow - entry.Age;
        if (joinable < untilLook)
        {
            if (joinable > TimeSpan.Zero && await waiter.WaitAsync(joinable, flight.CancellationToken).ConfigureAwait(false)) return;
            forget();
            if (joinable > TimeSpan.Zero) untilLook -= joinable;
        }

        await waiter.WaitAsync(untilLook, flight.CancellationToken).ConfigureAwait(false);
    }

    // It landed so long after the last look was answered, by the server's clock, and that was not before the look was sent. The margin is for
    // clocks that run apart.
    private long UntilOf(Message landed, Entry lastLook)
    {
        var since = TimeSpan.FromMicroseconds(Math.Max(0, landed.Landed - lastLook.ServerTime) * 0.99);
        return lastLook.Until + (long)(since.TotalSeconds * _options.TimeProvider.TimestampFrequency);
    }

    private async ValueTask<Landing<TResult>> LeadAsync<TState, TResult>(
        Lease lease,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight,
        Action forget)
    {
        using var cancelled = _options.OnLostLease == LostLeaseBehavior.Cancel ? CancellationTokenSource.CreateLinkedTokenSource(flight.CancellationToken) : null;
        if (cancelled is not null)
        {
            lease.WhenLost(() =>
            {
                forget();
                try
                {
                    cancelled.Cancel();
                }
                catch (Exception)
                {
                    // The flight is over, or what its work had registered fails.
                }
            });
        }

        using (flight.CancellationToken.UnsafeRegister(_ => _cluster.Abandon(lease), null)) // nobody waits here, or not for this any more
        {
            flight.CancellationToken.ThrowIfCancellationRequested();
            TResult result;
            try
            {
                result = await work(state, new FlightContext(new ClusterFlight(flight, lease, cancelled?.Token ?? flight.CancellationToken))).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                _cluster.Abandon(lease); // somebody's cancellation is nobody else's error: another node leads
                throw;
            }
            catch (Exception exception)
            {
                _errors.Note(exception, key, await _cluster.PublishAsync(lease, _payload.Of(exception)).ConfigureAwait(false));
                throw;
            }

            return new(result, await _cluster.PublishAsync(lease, _payload.Of(result)).ConfigureAwait(false));
        }
    }

    // A flight of this node's alone; what may be said of until when others have not forgotten it is asked at its end.
    private async ValueTask<Landing<TResult>> LandHereAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight,
        Func<Task<long>>? until = null)
    {
        try
        {
            var result = await work(state, flight).ConfigureAwait(false);
            return new(result, until is null ? long.MaxValue : await until().ConfigureAwait(false));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _errors.Note(exception, key, until is null ? long.MaxValue : await until().ConfigureAwait(false));
            throw;
        }
    }

    private async Task<long> UnlessForgottenAsync(Names names, long token, long until)
    {
        var askedAt = _options.TimeProvider.GetTimestamp();
        try
        {
            return await _cluster.IsForgottenSinceAsync(names, token).ConfigureAwait(false) ? until : askedAt;
        }
        catch (Exception)
        {
            return long.MaxValue; // as of any flight that this node makes alone
        }
    }

    private Names NamesOf(TKey key) => new(_options.KeyPrefix, Names.Injective(_textOf(key)));
}
