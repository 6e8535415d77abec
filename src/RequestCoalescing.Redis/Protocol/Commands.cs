using System.Runtime.CompilerServices;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The commands that this node sends to Redis. Each has a time limit. Those whose answer decides how a flight continues are also behind a circuit
/// breaker (point 9 of the protocol).
/// </summary>
internal sealed class Commands(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry)
{
    /// <summary>A replica must not be asked: it has no leases.</summary>
    public const CommandFlags Flags = CommandFlags.DemandMaster;

    private readonly Circuit _circuit = new(options.OutageBreak, options.TimeProvider);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _pending = [];

    public IDatabase Database => connection.GetDatabase();

    /// <summary>The connection has returned, so that Redis can be asked again at once.</summary>
    public void CloseCircuit() => _circuit.Close();

    /// <summary>Sends a script. A caller that does not await the answer passes it to <see cref="Follow"/>.</summary>
    public Task<RedisResult> Send(string script, RedisKey[] keys, RedisValue[] values)
    {
        telemetry.RoundTrip();
        return Database.ScriptEvaluateAsync(script, keys, values, Flags);
    }

    /// <summary>Sends a script and waits for its answer. The circuit does not apply: the holder of a lease must end it, whatever happened to other commands.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public ValueTask<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values) => InTimeAsync(Send(script, keys, values));

    /// <summary>Checks the circuit before a command whose answer decides how a flight continues.</summary>
    /// <exception cref="TimeoutException">The circuit is open.</exception>
    public void ThrowIfOpen()
    {
        if (!_circuit.TryEnter()) throw new TimeoutException($"Redis did not answer in time. It is not asked again for {options.OutageBreak}.");
    }

    /// <summary>Waits for an answer that decides how a flight continues.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<T> AnswerAsync<T>(Task<T> sent)
    {
        try
        {
            var answer = await InTimeAsync(sent).ConfigureAwait(false);
            _circuit.Note(hasFailed: false);
            return answer;
        }
        catch (Exception exception)
        {
            _circuit.Note(exception is RedisConnectionException or TimeoutException); // any other error is an answer, too
            throw;
        }
    }

    /// <summary>Follows a task that no flight awaits, until this node's part in the cluster ends.</summary>
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

    /// <summary>Completes when every followed task has ended, at the latest after the time limit of a command.</summary>
    public async Task DrainAsync()
    {
        Task[] pending;
        lock (_gate) pending = [.. _pending];
        var all = Task.WhenAll(pending);
        await all.WaitAsync(options.CommandTimeout, options.TimeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ = all.ContinueWith(static all => all.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default); // it may fail later
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<T> InTimeAsync<T>(Task<T> sent)
    {
        try
        {
            return await sent.WaitAsync(options.CommandTimeout, options.TimeProvider).ConfigureAwait(false);
        }
        catch (Exception)
        {
            Follow(sent); // Redis may still do it
            throw;
        }
    }
}
