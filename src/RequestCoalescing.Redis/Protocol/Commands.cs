using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What this node sends to Redis: within a timeout, and, where the answer decides how a flight goes on, behind a circuit breaker.</summary>
internal sealed class Commands
{
    private readonly IConnectionMultiplexer _connection;
    private readonly RedisSingleflightOptions _options;
    private readonly ClusterTelemetry _telemetry;
    private readonly ResiliencePipeline _pipeline;
    private readonly CircuitBreakerManualControl _circuit = new();
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _pending = [];

    public Commands(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry)
    {
        (_connection, _options, _telemetry) = (connection, options, telemetry);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = options.TimeProvider }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                FailureRatio = 0.5,
                MinimumThroughput = 2,
                SamplingDuration = TimeSpan.FromSeconds(5),
                BreakDuration = options.OutageBreak,
                ManualControl = _circuit,
                ShouldHandle = static arguments => ValueTask.FromResult(
                    arguments.Outcome.Exception is RedisConnectionException or RedisTimeoutException or TimeoutRejectedException),
            })
            .AddTimeout(options.CommandTimeout)
            .Build();
    }

    public IDatabase Database => _connection.GetDatabase();

    /// <summary>The connection is back: there is no reason to leave Redis alone any longer.</summary>
    public void CloseCircuit() => Follow(_circuit.CloseAsync());

    /// <summary>Sends a script, and does not wait for it. What comes of it is seen by its effects, or by whoever awaits it.</summary>
    public Task<RedisResult> Send(string script, RedisKey[] keys, RedisValue[] values)
    {
        _telemetry.RoundTrip();
        var sent = Database.ScriptEvaluateAsync(script, keys, values);
        Follow(sent);
        return sent;
    }

    /// <summary>Past the circuit: who holds a lease has something to tell, whatever happened to others.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public Task<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values) =>
        Send(script, keys, values).WaitAsync(_options.CommandTimeout, _options.TimeProvider);

    /// <summary>Behind the circuit: not sent at all where it is open.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public async Task<T> AskAsync<T>(Func<Task<T>> send) =>
        await _pipeline.ExecuteAsync(static async (send, timeout) => await send().WaitAsync(timeout).ConfigureAwait(false), send).ConfigureAwait(false);

    /// <summary>As <see cref="AskAsync{T}"/>, for what others have sent.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public ValueTask AwaitAsync(Task sent) =>
        _pipeline.ExecuteAsync(static async (sent, timeout) => await sent.WaitAsync(timeout).ConfigureAwait(false), sent);

    /// <summary>Nobody waits for this any more, but the end of this node's part in the cluster.</summary>
    public void Follow(Task task)
    {
        lock (_gate) _pending.Add(task);
        task.ContinueWith(
            done =>
            {
                _ = done.Exception;
                lock (_gate) _pending.Remove(done);
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>Completes when all that was sent is done, or in time.</summary>
    public async Task DrainAsync()
    {
        Task[] pending;
        lock (_gate) pending = [.. _pending];
        var all = Task.WhenAll(pending);
        await all.WaitAsync(_options.CommandTimeout, _options.TimeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ = all.ContinueWith(static all => all.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default); // it may fail later
    }
}
