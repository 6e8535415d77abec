using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>What the way into an instance leads to.</summary>
/// <param name="Engine">The engine, if no decorator is around it.</param>
/// <param name="Verification">What every call passes that is to be coalesced, in the end.</param>
/// <param name="Rollout">What every call passes, in the end.</param>
/// <param name="Scopes">For work with services of its own.</param>
/// <param name="Metrics">The meter.</param>
/// <param name="Latencies">How long callers waited, for a history.</param>
/// <param name="Name">The instance's name.</param>
/// <param name="Clock">The instance's clock.</param>
internal sealed record HostedParts<TKey>(
    Singleflight<TKey>? Engine,
    VerifyingSingleflight<TKey> Verification,
    RolloutSingleflight<TKey> Rollout,
    IServiceScopeFactory Scopes,
    SingleflightMetrics Metrics,
    Latencies Latencies,
    string Name,
    TimeProvider Clock)
    where TKey : notnull;
