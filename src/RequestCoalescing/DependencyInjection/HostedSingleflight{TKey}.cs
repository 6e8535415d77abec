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

    public IServiceScopeFactory? Scopes { get; } = parts.Scopes;

    public override void Clear() => _rollout.Clear();

    public override SingleflightStats GetStats() => _rollout.GetStats();

    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var wait = BeginWait<TResult>();
        return wait.For(_rollout.ExecuteAsync(key, state, work, cancellationToken));
    }

    protected sealed override bool ForgetCore(TKey key) => _rollout.Forget(key);
}
