using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>As <see cref="HostedSingleflight{TKey}"/>, for keys that are strings.</summary>
internal sealed class HostedSingleflight(
    ISingleflight<string> inner,
    RolloutSingleflight<string> rollout,
    IServiceScopeFactory scopes,
    SingleflightMetrics metrics,
    string name,
    TimeProvider clock) : HostedSingleflight<string>(inner, rollout, scopes, metrics, name, clock), ISingleflight;
