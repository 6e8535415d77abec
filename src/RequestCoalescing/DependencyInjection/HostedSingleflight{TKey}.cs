using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>What dependency injection hands out: the way into an instance, past its rollout, with a look at the clock where somebody measures.</summary>
internal class HostedSingleflight<TKey>(HostedParts<TKey> parts) : SingleflightBase<TKey>, IScopedSingleflight
    where TKey : notnull
{
    private readonly Singleflight<TKey>? _engine = parts.Engine;
    private readonly VerifyingSingleflight<TKey> _verification = parts.Verification;
    private readonly RolloutSingleflight<TKey> _rollout = parts.Rollout;
    private readonly SingleflightMetrics _metrics = parts.Metrics;
    private readonly TimeProvider _clock = parts.Clock;
    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(parts.Name);

    public IServiceScopeFactory Scopes { get; } = parts.Scopes;

    public override void Clear() => _rollout.Clear();

    public override SingleflightStats GetStats() => _rollout.GetStats();

    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // To measure is to wait; a call that work makes and leaves to itself must not be taken for one that it waits for.
        if (_metrics.CallerWait.Enabled && Lineage.Current is null) return MeasuredAsync(key, state, work, cancellationToken);
        return _engine is not null && _rollout.LetsAllThrough && !_verification.IsOn
            ? _engine.JoinOrLead(key, state, work, cancellationToken)
            : _rollout.ExecuteAsync(key, state, work, cancellationToken);
    }

    protected sealed override bool ForgetCore(TKey key) => _rollout.Forget(key);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<TResult> MeasuredAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var start = _clock.GetTimestamp();
        try
        {
            return await _rollout.ExecuteAsync(key, state, work, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Record(_clock.GetElapsedTime(start));
        }
    }

    private void Record(TimeSpan elapsed)
    {
        try
        {
            _metrics.CallerWait.Record(elapsed.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // A meter listener that fails is not the caller's concern.
        }
    }
}
