using RequestCoalescing.Engine;

namespace RequestCoalescing.Rollout;

/// <summary>
/// Counts the calls that coalescing would have saved, while all calls run alone. A second engine gets every call, with work that only waits for
/// the end of the real run. Its counts are those of coalescing, or lower ones: if a leader leaves early, the run that its followers would have
/// shared ends too early here.
/// </summary>
internal sealed class Observation<TKey>(SingleflightOptions options) : IDisposable
    where TKey : notnull
{
    // The real engine limits the runs, and with them the flights of this one. It is created late, because most instances are never observed.
    private readonly Lazy<Singleflight<TKey>> _shadow = new(() => new Singleflight<TKey>(Of(options)));

    public SingleflightStats Stats => _shadow.IsValueCreated ? _shadow.Value.GetStats() : default;

    public void Change(SingleflightOptions changed)
    {
        Volatile.Write(ref options, changed);
        if (_shadow.IsValueCreated) _shadow.Value.Change(Of(changed));
    }

    /// <summary>Counts a call that begins.</summary>
    /// <returns>The source to complete when the call ends.</returns>
    public TaskCompletionSource<bool> Begin(TKey key)
    {
        // The continuation of this source is the landing. It runs inline, so that the landing has happened before the call returns to its caller.
        // The flow is suppressed because the observed flight does not wait for this call.
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
