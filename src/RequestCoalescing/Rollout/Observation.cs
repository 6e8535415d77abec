using RequestCoalescing.Engine;

namespace RequestCoalescing.Rollout;

/// <summary>
/// Finds out what coalescing would do to calls that run alone: an engine is told of every call, with nothing but its end for work.
/// Its counts are those that coalescing would have had, or less: where a leader leaves early, nobody knows how long its run would have
/// gone on for the others.
/// </summary>
internal sealed class Observation<TKey>(SingleflightOptions options) : IDisposable
    where TKey : notnull
{
    // A flight of this lasts as long as its leader's own run, which the engine limits. Most instances are never observed.
    private readonly Lazy<Singleflight<TKey>> _shadow = new(() => new Singleflight<TKey>(Of(options)));

    public SingleflightStats Stats => _shadow.IsValueCreated ? _shadow.Value.GetStats() : default;

    public void Change(SingleflightOptions changed)
    {
        Volatile.Write(ref options, changed);
        if (_shadow.IsValueCreated) _shadow.Value.Change(Of(changed));
    }

    /// <summary>A call begins.</summary>
    /// <returns>What to complete when it ends.</returns>
    public TaskCompletionSource<bool> Begin(TKey key)
    {
        // Its continuation is the landing, which is to have happened before the call returns to its caller. It is not the work of the flight that it
        // observes, and nobody waits for it: it ends with that flight.
        var end = new TaskCompletionSource<bool>();
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            Outcome.ObserveAtEnd(_shadow.Value.ExecuteAsync(key, end, static (end, _) => new ValueTask<bool>(end.Task)).AsTask());
        }

        return end;
    }

    public void Forget(TKey key)
    {
        if (_shadow.IsValueCreated) _shadow.Value.Forget(key);
    }

    public void Clear()
    {
        if (_shadow.IsValueCreated) _shadow.Value.Clear();
    }

    public void Dispose()
    {
        if (_shadow.IsValueCreated) _ = _shadow.Value.CloseAsync();
    }

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
