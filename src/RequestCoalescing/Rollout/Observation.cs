namespace RequestCoalescing.Rollout;

/// <summary>
/// Finds out what coalescing would do to calls that run alone: an engine is told of every call, with nothing but its end for work.
/// Its counts are those that coalescing would have had, or less: where a leader leaves early, nobody knows how long its run would have
/// gone on for the others.
/// </summary>
internal sealed class Observation<TKey>(SingleflightOptions options) : IDisposable
    where TKey : notnull
{
    // A flight of this lasts as long as its leader's own run, which the engine limits.
    private readonly Singleflight<TKey> _shadow = new(Of(options));

    public SingleflightStats Stats => _shadow.GetStats();

    public void Change(SingleflightOptions changed) => _shadow.Change(Of(changed));

    /// <summary>A call begins.</summary>
    /// <returns>What to complete when it ends.</returns>
    public TaskCompletionSource<bool> Begin(TKey key)
    {
        // Its continuation is the landing, which is to have happened before the call returns to its caller.
        var end = new TaskCompletionSource<bool>();
        var call = _shadow.ExecuteAsync(key, end, static (end, _) => new ValueTask<bool>(end.Task));

        // Nobody waits for what would have been: it ends, or times out, by itself.
        var task = call.AsTask();
        task.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return end;
    }

    public void Forget(TKey key) => _shadow.Forget(key);

    public void Clear() => _shadow.Clear();

    public void Dispose() => _ = _shadow.CloseAsync();

    private static SingleflightOptions Of(SingleflightOptions options) => new()
    {
        TimeProvider = options.TimeProvider,
        JoinWindow = options.JoinWindow,
        MaxDuration = TimeSpan.FromDays(24),
        ContextFlow = ContextFlow.Suppress,
        DetectDeadlocks = false,
        IsReported = false,
    };
}
