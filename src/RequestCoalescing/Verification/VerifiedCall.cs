namespace RequestCoalescing.Verification;

/// <summary>A call that is verified if it turns out to follow. Its work runs once, be it as the flight's or as its own.</summary>
internal sealed class VerifiedCall<TState, TResult>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
{
    private const int Leads = 1;
    private const int Verifies = 2;

    private readonly TaskCompletionSource<TResult> _own = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _role;

    /// <summary>The work of the flight, if this call leads; one that is elected while it verifies leads with the run it has.</summary>
    public ValueTask<TResult> LeadAsync(FlightContext flight) =>
        Interlocked.CompareExchange(ref _role, Leads, 0) == Verifies ? new(_own.Task) : work(state, flight);

    /// <summary>Runs the work for this call alone, unless it leads.</summary>
    /// <returns>The run; null if this call leads.</returns>
    public Task<TResult>? TryRunOwn<TKey>(Singleflight<TKey> engine, TKey key, CancellationToken cancellationToken)
        where TKey : notnull
    {
        if (Interlocked.CompareExchange(ref _role, Verifies, 0) == Leads) return null;
        _ = RunAsync();
        _own.Task.ContinueWith(
            static own => own.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return _own.Task;

        async Task RunAsync()
        {
            var run = engine.ExecuteAloneAsync(key, state, work, verifies: true, cancellationToken).AsTask();
            await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _own.SetFromTask(run);
        }
    }
}
