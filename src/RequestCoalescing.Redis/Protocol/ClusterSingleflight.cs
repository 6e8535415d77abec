using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;
using RequestCoalescing.Redis.Payloads;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// Coalesces the flights of all nodes. The engine inside coalesces the calls of this node, so that each node has at most one flight a key. Of
/// those flights, one runs its work, and the others wait for its outcome.
/// </summary>
internal sealed class ClusterSingleflight<TKey> : SingleflightBase<TKey>, IAsyncDisposable
    where TKey : notnull
{
    private readonly ISingleflight<TKey> _inner;
    private readonly Singleflight<TKey>? _innerEngine; // if no decorator is between; a call of an interface's generic method takes longer
    private readonly Func<TKey, string> _textOf;
    private readonly RedisSingleflightOptions _options;
    private readonly ClusterTelemetry _telemetry;
    private readonly Payload _payload;
    private readonly Node _node;
    private readonly IConnectionMultiplexer? _ownedConnection;
    private readonly Errors<TKey> _errors = new();
    private readonly TaggedFlights<TKey> _tagged;

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
        (_inner, _innerEngine, _textOf, _options, _telemetry) = (inner, inner as Singleflight<TKey>, textOf, options, telemetry);
        _ownedConnection = ownsConnection ? connection : null;
        _payload = new Payload(options, telemetry);
        _node = new Node(connection, options, joinWindow, telemetry);
        _tagged = new TaggedFlights<TKey>(_node);
    }

    /// <summary>Whether calls are pooled. A decorator between could start the work of a caller that has its result.</summary>
    public bool PoolsCalls => _innerEngine is not null;

    public override void Clear()
    {
        var held = _node.Mailbox.Keys.Select(key => new Names(_options.KeyPrefix, key)).Select(names => (Names: names, Leases: LeasesOf(names))).ToList();
        _inner.Clear();
        foreach (var (names, leases) in held) _ = _node.ForgetAsync(names, leases);
    }

    public override SingleflightStats GetStats() => _inner.GetStats();

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync().ConfigureAwait(false);
        if (_ownedConnection is not null) await _ownedConnection.DisposeAsync().ConfigureAwait(false);
        _telemetry.Dispose();
    }

    /// <summary>Forgets the key for the cluster. Completes when Redis has forgotten it.</summary>
    public Task ForgetAsync(TKey key) => ForgetAsync(key, out _);

    /// <summary>Completes when Redis has received every forget of this node for the key.</summary>
    public Task ForgottenAsync(TKey key) => _node.ForgottenAsync(NamesOf(key));

    /// <summary>Lets <see cref="ForgetTagAsync"/> of any node find a flight of this node.</summary>
    public ValueTask<IAsyncDisposable> TagAsync(TKey key, IReadOnlyCollection<string> tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        foreach (var tag in tags) ArgumentNullException.ThrowIfNull(tag, nameof(tags));
        return _tagged.AddAsync(key, NamesOf(key).Key, tags);
    }

    /// <summary>Forgets the flights of all nodes that have a tag. Completes when Redis has forgotten them.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="forget">Forgets a flight of this node, and completes when Redis has forgotten it.</param>
    public async Task ForgetTagAsync(string tag, Func<TKey, Task> forget)
    {
        TKey[] own = [.. _tagged.OwnOf(tag)];
        var forgotten = Array.ConvertAll(own, key => forget(key));
        var others = (await _tagged.TextsOfAsync(tag).ConfigureAwait(false)).Except(own.Select(key => NamesOf(key).Key), StringComparer.Ordinal);
        await Task.WhenAll([.. forgotten, .. others.Select(ForgetAsync)]).ConfigureAwait(false);

        Task ForgetAsync(string text)
        {
            var names = new Names(_options.KeyPrefix, text);
            var leases = LeasesOf(names);
            _node.Mailbox.Forget(text);
            return _node.ForgetAsync(names, leases);
        }
    }

    /// <summary>This node's clock, as a timestamp.</summary>
    public long Now() => _options.TimeProvider.GetTimestamp();

    /// <summary>A call whose arguments have been validated.</summary>
    public ValueTask<TResult> CallAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // Callers without a token share tasks, unless they resume in a context: one that blocks or fails must not affect other callers.
        if (cancellationToken.CanBeCanceled || SynchronizationContext.Current is not null || TaskScheduler.Current != TaskScheduler.Default)
        {
            return FollowOrStart(key, state, work, cancellationToken);
        }

        if (LocalResult<TResult>.Is || _innerEngine?.TryEnter<Landing<TResult>>(key) is not { } flight) return Start(key, state, work, cancellationToken);
        return (flight.Companion as Crowds<TKey, TResult>)?.Join() is { } outcome ? new(outcome) : Share(flight, key, state, work);
    }

    /// <summary>Joins or leads the flight of this node (point 1 of the protocol).</summary>
    public ValueTask<Landing<TResult>> BoardAsync<TState, TResult>(TKey key, Call<TKey, TState, TResult> call, CancellationToken cancellationToken) =>
        _innerEngine is not null
            ? _innerEngine.ExecuteAsync(key, call, static (call, flight) => call.FlyAsync(flight), cancellationToken)
            : _inner.ExecuteAsync(key, call, static (call, flight) => call.FlyAsync(flight), cancellationToken);

    /// <summary>As <see cref="Landing{TResult}.Until"/>, for an error.</summary>
    public long UntilOf(Exception error, TKey key) => _errors.UntilOf(error, key);

    /// <summary>The work of this node's flight: it leads for the cluster, or waits for the node that does.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Landing<TResult>> FlyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        if (!flight.IsCurrent) return await LandHereAsync(key, state, work, flight).ConfigureAwait(false); // it runs alone, so that no caller joins it

        using var participation = _node.Participate(NamesOf(key), flight, () => _inner.Forget(key));
        Entry entry;
        try
        {
            entry = await participation.JoinAsync().ConfigureAwait(false);
        }
        catch (ClusterUnavailableException) when (_options.OnOutage != OutageBehavior.Fail)
        {
            return await LandHereAsync(key, state, work, flight).ConfigureAwait(false);
        }

        return entry.What == Scripts.Lead
            ? await LeadAsync(participation, key, state, work).ConfigureAwait(false)
            : await FollowAsync(participation, entry, key, state, work, flight).ConfigureAwait(false);
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        CallAsync(key, state, work, cancellationToken);

    protected override bool ForgetCore(TKey key)
    {
        _ = ForgetAsync(key, out var hadFlight);
        return hadFlight;
    }

    /// <summary>A call with a wait of its own. (A call within work is awaited in another way, for the graph of waits.)</summary>
    public ValueTask<TResult> FollowOrStart<TState, TResult>(TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
        !LocalResult<TResult>.Is &&
        FlightScope.Current is null &&
        !cancellationToken.IsCancellationRequested &&
        _innerEngine?.Find<Landing<TResult>>(key) is { } flight &&
        ClusterFollower<TKey, TState, TResult>.TryJoin(flight, this, key, state, work, cancellationToken) is { } call
            ? call
            : Start(key, state, work, cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)] // for a short way above
    private ValueTask<TResult> Start<TState, TResult>(TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
        LocalResult<TResult>.Is
            ? _inner.ExecuteAsync(key, state, work, cancellationToken)
            : Call<TKey, TState, TResult>.Start(this, key, state, work, cancellationToken);

    // For a caller that has entered the flight of this node.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<TResult> Share<TState, TResult>(SharedWait<Landing<TResult>> flight, TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var crowds = flight.Companion as Crowds<TKey, TResult> ?? CrowdsOf(flight, key);
        return crowds is { AreOpen: true } && Begin(crowds, key, state, work) is { } outcome
            ? new(outcome)
            : Call<TKey, TState, TResult>.Start(this, key, state, work, default, flight.Task);
    }

    private Task<TResult>? Begin<TState, TResult>(Crowds<TKey, TResult> crowds, TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work) =>
        crowds.Begin(() => CallAsync(key, state, work, default));

    private Crowds<TKey, TResult>? CrowdsOf<TResult>(SharedWait<Landing<TResult>> flight, TKey key) =>
        _node.Mailbox.Find(NamesOf(key).Key, flight.Flight!) is { } participation
            ? (Crowds<TKey, TResult>)flight.Accompany(new Crowds<TKey, TResult>(this, key, participation, flight.Task))
            : null;

    private Task ForgetAsync(TKey key, out bool hadFlight)
    {
        var names = NamesOf(key);
        var leases = LeasesOf(names);
        hadFlight = _inner.Forget(key);
        return _node.ForgetAsync(names, leases);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Landing<TResult>> LeadAsync<TState, TResult>(
        Participation participation,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        participation.CancellationToken.ThrowIfCancellationRequested();
        TResult result;
        try
        {
            result = await work(state, new FlightContext(participation)).ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            // A cancellation is not the other nodes' outcome: one of them leads. If it comes from within the work, the callers of this node get it.
            if (participation.IsCancelled) participation.Abandon();
            else _errors.Note(cancelled, key, await participation.PublishAsync(payload: null).ConfigureAwait(false));
            throw;
        }
        catch (Exception exception)
        {
            _errors.Note(exception, key, await participation.PublishAsync(_payload.Of(exception)).ConfigureAwait(false));
            throw;
        }

        return new(result, await participation.PublishAsync(_payload.Of(result)).ConfigureAwait(false));
    }

    private async ValueTask<Landing<TResult>> FollowAsync<TState, TResult>(
        Participation participation,
        Entry entry,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        _telemetry.Followed();
        if (participation.LandedAt is { } landedAt) _telemetry.HandedOver(_options.TimeProvider.GetElapsedTime(landedAt));
        try
        {
            if (_payload.TryRead<TResult>(entry.Payload, out var result)) return new(result, entry.Until);
        }
        catch (RemoteFlightException error)
        {
            _errors.Note(error, key, entry.Until);
            throw;
        }

        // Point 10: the outcome could not be sent, so that each waiting node makes its own.
        return await LandHereAsync(key, state, work, new FlightContext(new OwnRun(flight, participation, entry)), () => participation.UnlessForgottenAsync(entry.Token, entry.Until)).ConfigureAwait(false);
    }

    // Runs the work for this node alone. At its end, `until` asks for the latest time at which the key was certainly not forgotten.
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
        catch (Exception exception) when (!flight.CancellationToken.IsCancellationRequested)
        {
            _errors.Note(exception, key, until is null ? long.MaxValue : await until().ConfigureAwait(false));
            throw;
        }
    }

    private Names NamesOf(TKey key) => new(_options.KeyPrefix, Names.Injective(_textOf(key)));

    private Lease[] LeasesOf(Names names) => _node.Heartbeat.LeasesOf(names.Key);
}
