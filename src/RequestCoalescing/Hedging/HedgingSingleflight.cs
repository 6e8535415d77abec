using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Hedging;

/// <summary>Runs the work of a follower beside that of a slow leader. It is around all decorators, so that a cluster holds one lease for both runs.</summary>
internal sealed class HedgingSingleflight<TKey>(ISingleflight<TKey> inner, Reloading<HedgingOptions> options, TimeProvider clock) : SingleflightBase<TKey>
    where TKey : notnull
{
    private readonly Reloading<HedgingOptions> _options = options;
    private readonly TimeProvider _clock = clock;
    private readonly HedgeBudget _budget = new();
    private readonly Followers<TKey> _followers = new();
    private long _hedges;

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats() with { Hedges = Volatile.Read(ref _hedges) };

    protected override bool ForgetCore(TKey key) => inner.Forget(key);

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var call = new Call<TState, TResult>(this, key, state, work, cancellationToken);
        var pending = inner.ExecuteAsync(key, call, static (call, flight) => call.LeadAsync(flight), cancellationToken);

        // Work may drop a call, so that nothing would tell when its wait ends.
        return pending.IsCompleted || call.HasStarted || FlightScope.Current is not null ? pending : call.Follow(pending);
    }

    private sealed class Call<TState, TResult>(
        HedgingSingleflight<TKey> owner,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) : HedgedCall<TResult>
    {
        public override bool HasCancelled => cancellationToken.IsCancellationRequested;

        public ValueTask<TResult> Follow(ValueTask<TResult> pending)
        {
            owner._followers.Add(key, this);
            Start(pending, awaitsAtOnce: true);
            return Call;
        }

        public async ValueTask<TResult> LeadAsync(FlightContext flight)
        {
            HasStarted = true;
            owner._budget.Earn(owner._options.Current.MaxShare);
            var first = new HedgedFlight(flight);
            var run = RunAsync(first);
            if (!run.IsCompleted && await IsSlowAsync(run).ConfigureAwait(false) && await BorrowAsync(run).ConfigureAwait(false) is { } follower)
            {
                var second = new HedgedFlight(flight);
                var hedge = follower.RunAsync(second);
                var ended = await Task.WhenAny(run, hedge).ConfigureAwait(false);
                if (!ended.IsCompletedSuccessfully) await Task.WhenAny(ended == run ? hedge : run).ConfigureAwait(false);
                (run, hedge, first, second) = hedge.IsCompletedSuccessfully ? (hedge, run, second, first) : (run, hedge, first, second);
                Outcome.Observe(hedge);
                second.Cancel();
            }

            return await run.ConfigureAwait(false);
        }

        public override async Task<TResult> RunAsync(HedgedFlight flight)
        {
            HasStarted = true;
            using var link = flight.LinkToOuter();
            return await work(state, new FlightContext(flight)).ConfigureAwait(false);
        }

        protected override void OnEnded() => owner._followers.Remove(key, this);

        private async Task<bool> IsSlowAsync(Task run)
        {
            await run.WaitAsync(owner._options.Current.HedgeAfter, owner._clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return !run.IsCompleted;
        }

        // Waits for a follower while the run goes on.
        private async Task<HedgedCall<TResult>?> BorrowAsync(Task run)
        {
            using var wanted = owner._followers.Want<TResult>(key);
            await Task.WhenAny(run, wanted.Found).ConfigureAwait(false);
            if (run.IsCompleted || owner._options.Current.MaxShare == 0 || !owner._budget.TrySpend()) return null;
            Interlocked.Increment(ref owner._hedges);
            return await wanted.Found.ConfigureAwait(false);
        }
    }
}
