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
        if (LocalResult<TResult>.Is) return inner.ExecuteAsync(key, state, work, cancellationToken);
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
        private Followers<TKey>.Place? _place;

        public override bool HasCancelled => cancellationToken.IsCancellationRequested;

        public ValueTask<TResult> Follow(ValueTask<TResult> pending)
        {
            _place = owner._followers.Add(key, this);
            Start(pending, awaitsAtOnce: true);
            return Call;
        }

        public async ValueTask<TResult> LeadAsync(FlightContext flight)
        {
            HasStarted = true;
            owner._budget.Earn(owner._options.Current.MaxShare);
            if (!flight.IsCurrent) return await work(state, flight).ConfigureAwait(false); // it runs alone, and has no followers
            var first = new HedgedFlight(flight);
            var lead = new Lead(flight);
            var place = owner._followers.AddLeader(key, lead);
            try
            {
                var run = RunAsync(first);
                if (!run.IsCompleted && await IsSlowAsync(run).ConfigureAwait(false) && await BorrowAsync(run, place, lead, flight).ConfigureAwait(false) is { } follower)
                {
                    var second = new HedgedFlight(flight);
                    var hedge = follower.RunAsync(second);
                    var ended = await Task.WhenAny(run, hedge).ConfigureAwait(false);
                    if (!ended.IsCompletedSuccessfully) await Task.WhenAny(ended == run ? hedge : run).ConfigureAwait(false);
                    var (winner, loser, losing) = hedge.IsCompletedSuccessfully ? (hedge, run, first) : (run, hedge, second);
                    _ = Outcome.ObserveAtEnd(loser);
                    losing.Stop();
                    run = winner;
                }

                return await run.ConfigureAwait(false);
            }
            finally
            {
                place.Remove(lead);
            }
        }

        public override async Task<TResult> RunAsync(HedgedFlight flight)
        {
            HasStarted = true;
            using var link = flight.LinkToOuter();
            return await work(state, new FlightContext(flight)).ConfigureAwait(false);
        }

        protected override void OnEnded() => _place!.Remove(this);

        private async Task<bool> IsSlowAsync(Task run)
        {
            await run.WaitAsync(owner._options.Current.HedgeAfter, owner._clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return !run.IsCompleted;
        }

        // Waits for a follower while the run goes on, and its flight is in flight.
        private async Task<HedgedCall<TResult>?> BorrowAsync(Task run, Followers<TKey>.Place place, Lead lead, FlightContext flight)
        {
            using var wanted = place.Want<TResult>(lead);
            await ((Task)Task.WhenAny(run, wanted.Found)).WaitAsync(flight.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (run.IsCompleted || flight.CancellationToken.IsCancellationRequested || owner._options.Current.MaxShare == 0 || !owner._budget.TrySpend()) return null;
            Interlocked.Increment(ref owner._hedges);
            return await wanted.Found.ConfigureAwait(false);
        }
    }
}
