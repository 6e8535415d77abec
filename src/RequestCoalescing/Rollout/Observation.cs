namespace RequestCoalescing.Rollout;

/// <summary>
/// Finds out what coalescing would do to calls that run alone: an engine is told of every call, with nothing but its end for work.
/// Its counts are those that coalescing would have had.
/// </summary>
internal sealed class Observation<TKey>(SingleflightOptions options) : IDisposable
    where TKey : notnull
{
    // A flight of this lasts as long as its leader's own run, which the engine limits.
    private readonly Singleflight<TKey> _shadow = new(new SingleflightOptions
    {
        TimeProvider = options.TimeProvider,
        JoinWindow = options.JoinWindow,
        MaxDuration = TimeSpan.FromDays(24),
        ContextFlow = ContextFlow.Suppress,
        DetectDeadlocks = false,
    });

    public SingleflightStats Stats => _shadow.GetStats();

    /// <summary>A call begins.</summary>
    /// <returns>What to complete when it ends.</returns>
    public TaskCompletionSource Begin(TKey key)
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var call = _shadow.ExecuteAsync(key, end, static async (end, _) =>
        {
            await end.Task.ConfigureAwait(false);
            return true;
        });

        // Nobody waits for what would have been: it ends, or times out, by itself.
        var task = call.AsTask();
        task.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return end;
    }

    public void Forget(TKey key) => _shadow.Forget(key);

    public void Clear() => _shadow.Clear();

    public void Dispose() => _ = _shadow.CloseAsync();
}
