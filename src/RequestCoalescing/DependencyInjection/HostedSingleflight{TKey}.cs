using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>The service that dependency injection provides: it passes calls to the instance through its rollout, and measures their waits if a listener asks for that.</summary>
internal class HostedSingleflight<TKey>(HostedParts<TKey> parts) : SingleflightBase<TKey>(parts.Engine), IScopedSingleflight
    where TKey : notnull
{
    private readonly VerifyingSingleflight<TKey> _verification = parts.Verification;
    private readonly RolloutSingleflight<TKey> _rollout = parts.Rollout;
    private readonly SingleflightMetrics _metrics = parts.Metrics;
    private readonly Latencies _latencies = parts.Latencies;
    private readonly TimeProvider _clock = parts.Clock;
    private readonly KeyValuePair<string, object?> _name = SingleflightMetrics.NameTag(parts.Name);

    public IServiceScopeFactory? Scopes { get; } = parts.Scopes;

    private protected override bool IsTransparent => !_metrics.CallerWait.Enabled && !_latencies.IsWatched && IsUndecorated;

    private bool IsUndecorated => _rollout.LetsAllThrough && !_verification.IsOn;

    public override void Clear() => _rollout.Clear();

    public override SingleflightStats GetStats() => _rollout.GetStats();

    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        if (LocalResult<TResult>.Is) return Pass(key, state, work, cancellationToken); // a stream lasts as long as it is read
        var isMeasured = _metrics.CallerWait.Enabled;
        var weight = _latencies.WeightOfWait(isMeasured);
        if (!isMeasured && weight == 0) return Pass(key, state, work, cancellationToken);
        var start = _clock.GetTimestamp();
        var call = Pass(key, state, work, cancellationToken);
        if (!call.IsCompletedSuccessfully) return new MeasuredCall<TResult>(this, start, weight, call).Call;
        Record(start, weight);
        return call;
    }

    protected sealed override bool ForgetCore(TKey key) => _rollout.Forget(key);

    private ValueTask<TResult> Pass<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        _engine is not null && IsUndecorated ? _engine.JoinOrLead(key, state, work, cancellationToken) : _rollout.ExecuteAsync(key, state, work, cancellationToken);

    private void Record(long start, int weight)
    {
        try
        {
            var waited = _clock.GetElapsedTime(start);
            if (weight > 0) _latencies.Waits.Record(waited, weight);
            _metrics.CallerWait.Record(waited.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // A meter listener that throws must not harm the caller.
        }
    }

    /// <summary>
    /// A call whose wait is measured, from its arrival to its outcome. The wait of a call that a flight's work makes ends when the call has been
    /// awaited and its outcome is known. If the work never awaits the call, it is not measured.
    /// </summary>
    private sealed class MeasuredCall<TResult> : Relay<TResult>
    {
        private readonly HostedSingleflight<TKey> _owner;
        private readonly long _start;
        private readonly int _weight;

        public MeasuredCall(HostedSingleflight<TKey> owner, long start, int weight, ValueTask<TResult> inner)
        {
            (_owner, _start, _weight) = (owner, start, weight);
            Start(inner, awaitsAtOnce: FlightScope.Current is null);
        }

        protected override void OnEnded() => _owner.Record(_start, _weight);
    }
}
