using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What this node sends to Redis: within a timeout, and, where the answer decides how a flight goes on, behind a circuit breaker.</summary>
internal sealed class Commands(IConnectionMultiplexer connection, RedisSingleflightOptions options, ClusterTelemetry telemetry)
{
    private readonly Circuit _circuit = new(options.OutageBreak, options.TimeProvider);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _pending = [];

    public IDatabase Database => connection.GetDatabase();

    /// <summary>The connection is back: there is no reason to leave Redis alone any longer.</summary>
    public void CloseCircuit() => _circuit.Close();

    /// <summary>Sends a script. Whoever does not await the answer follows it.</summary>
    public Task<RedisResult> Send(string script, RedisKey[] keys, RedisValue[] values)
    {
        telemetry.RoundTrip();
        return Database.ScriptEvaluateAsync(script, keys, values);
    }

    /// <summary>Past the circuit: who holds a lease has something to tell, whatever happened to others.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public Task<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values) => InTimeAsync(Send(script, keys, values));

    /// <summary>Before Redis is asked for what decides how a flight goes on.</summary>
    /// <exception cref="TimeoutException">It has failed, and is left alone for a while.</exception>
    public void ThrowIfOpen()
    {
        if (!_circuit.TryEnter()) throw new TimeoutException("Redis has not answered in time, and is not asked for a while.");
    }

    /// <summary>The answer to what decides how a flight goes on.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public async Task<T> AnswerAsync<T>(Task<T> sent)
    {
        try
        {
            var answer = await InTimeAsync(sent).ConfigureAwait(false);
            _circuit.Note(hasFailed: false);
            return answer;
        }
        catch (Exception exception)
        {
            _circuit.Note(exception is RedisConnectionException or TimeoutException); // anything else is an answer, too
            throw;
        }
    }

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

    /// <summary>Completes when all that is followed is done, or in time.</summary>
    public async Task DrainAsync()
    {
        Task[] pending;
        lock (_gate) pending = [.. _pending];
        var all = Task.WhenAll(pending);
        await all.WaitAsync(options.CommandTimeout, options.TimeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ = all.ContinueWith(static all => all.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default); // it may fail later
    }

    private async Task<T> InTimeAsync<T>(Task<T> sent)
    {
        try
        {
            return await sent.WaitAsync(options.CommandTimeout, options.TimeProvider).ConfigureAwait(false);
        }
        catch (Exception)
        {
            Follow(sent); // it may be done yet
            throw;
        }
    }
}
