using Microsoft.Extensions.Logging.Abstractions;
using RequestCoalescing.Redis.Protocol;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing;

/// <summary>
/// Coalesces across processes: normally the work of a key runs once in the whole cluster, and all nodes get its outcome. Keys are strings, compared ordinally.
/// </summary>
/// <remarks>
/// <para>This is an efficiency guarantee, and therefore not suited to work with side effects. A lease that runs out while its leader is paused, or a
/// failover that loses writes, can cause a second run. The outcome of one generation never reaches the subscribers of another.</para>
/// <para>All members are safe to call from any number of threads at once. Statistics and limits are those of this node.</para>
/// </remarks>
public sealed class RedisSingleflight : SingleflightBase<string>, ISingleflight, IClusterSingleflight<string>, IAsyncDisposable
{
    private readonly Singleflight _local;
    private readonly ClusterSingleflight<string> _cluster;

    /// <summary>Creates an instance.</summary>
    /// <param name="connection">The connection to Redis. The instance does not dispose it.</param>
    /// <param name="options">The options of this node's engine; null for the defaults.</param>
    /// <param name="redisOptions">The options of the cluster; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    public RedisSingleflight(IConnectionMultiplexer connection, SingleflightOptions? options = null, RedisSingleflightOptions? redisOptions = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        options ??= new SingleflightOptions();
        redisOptions ??= new RedisSingleflightOptions();
        redisOptions.Validate();
        _local = new Singleflight(options);
        _cluster = new ClusterSingleflight<string>(
            _local, connection, static key => key, redisOptions, options.JoinWindow, new ClusterTelemetry(redisOptions.KeyPrefix, NullLogger.Instance, factory: null));
    }

    /// <inheritdoc/>
    public Task ForgetAsync(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _cluster.ForgetAsync(key);
    }

    /// <inheritdoc/>
    public ValueTask<IAsyncDisposable> TagAsync(string key, IReadOnlyCollection<string> tags)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _cluster.TagAsync(key, tags);
    }

    /// <inheritdoc/>
    public Task ForgetTagAsync(string tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        return _cluster.ForgetTagAsync(tag, ForgetAsync);
    }

    /// <summary>Forgets every key that has a flight on this node, in the whole cluster.</summary>
    public override void Clear() => _cluster.Clear();

    /// <inheritdoc/>
    public override SingleflightStats GetStats() => _local.GetStats();

    /// <summary>Gives this node's leases up, cancels its flights and waits until they have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _local.DisposeAsync().ConfigureAwait(false);
        await _cluster.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        string key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        _cluster.CallAsync(key, state, work, cancellationToken);

    /// <inheritdoc/>
    protected override bool ForgetCore(string key) => _cluster.Forget(key);
}
