using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>What dependency injection hands out: the way into an instance, past its rollout, with a look at the clock where somebody measures.</summary>
internal class HostedSingleflight<TKey>(
    ISingleflight<TKey> inner,
    RolloutSingleflight<TKey> rollout,
    IServiceScopeFactory scopes,
    SingleflightMetrics metrics,
    string name,
    TimeProvider clock) : SingleflightBase<TKey>, IScopedSingleflight
    where TKey : notnull
{
    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(name);
    private readonly Singleflight<TKey>? _engine = inner as Singleflight<TKey>; // unless something is around it

    public IServiceScopeFactory Scopes => scopes;

    public override void Clear() => rollout.Clear();

    public override SingleflightStats GetStats() => rollout.GetStats();

    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // To measure is to wait; a call that work makes and leaves to itself must not be taken for one that it waits for.
        if (metrics.CallerWait.Enabled && Lineage.Current is null) return MeasuredAsync(key, state, work, cancellationToken);
        return _engine is not null && rollout.LetsAllThrough
            ? _engine.JoinOrLead(key, state, work, cancellationToken)
            : rollout.ExecuteAsync(key, state, work, cancellationToken);
    }

    protected sealed override bool ForgetCore(TKey key) => rollout.Forget(key);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<TResult> MeasuredAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        try
        {
            return await rollout.ExecuteAsync(key, state, work, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Record(clock.GetElapsedTime(start));
        }
    }

    private void Record(TimeSpan elapsed)
    {
        try
        {
            metrics.CallerWait.Record(elapsed.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // A meter listener that fails is not the caller's concern.
        }
    }
}
