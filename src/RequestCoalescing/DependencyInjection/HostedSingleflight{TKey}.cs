using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>The service that dependency injection provides: it passes calls to the instance through its rollout, and measures their waits if a listener asks for that.</summary>
internal class HostedSingleflight<TKey>(HostedParts<TKey> parts) : SingleflightBase<TKey>(parts), IScopedSingleflight
    where TKey : notnull
{
    private readonly RolloutSingleflight<TKey> _rollout = parts.Rollout;
    private readonly CallerWaits _waits = parts.Waits;

    public IServiceScopeFactory? Scopes { get; } = parts.Scopes;

    public override void Clear() => _rollout.Clear();

    public override SingleflightStats GetStats() => _rollout.GetStats();

    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        if (LocalResult<TResult>.Is) return Pass(key, state, work, cancellationToken); // a stream lasts as long as it is read
        if (!_waits.IsMeasured(out var weight)) return Pass(key, state, work, cancellationToken);
        var start = _waits.Now();
        var call = Pass(key, state, work, cancellationToken);
        if (!call.IsCompletedSuccessfully) return new MeasuredCall<TResult>(_waits, start, weight, call).Call;
        _waits.Record(start, weight);
        return call;
    }

    protected sealed override bool ForgetCore(TKey key) => _rollout.Forget(key);

    private ValueTask<TResult> Pass<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        _engine is not null && _parts!.AreIdle ? _engine.JoinOrLead(key, state, work, cancellationToken) : _rollout.ExecuteAsync(key, state, work, cancellationToken);
}
