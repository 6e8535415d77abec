using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>The parts of an instance that a call passes.</summary>
/// <param name="Engine">The engine, if no decorator is around it.</param>
/// <param name="Verification">The layer that every coalesced call passes last.</param>
/// <param name="Rollout">The layer that every call passes.</param>
/// <param name="Scopes">Creates the scopes of work that has services of its own.</param>
/// <param name="Waits">Measures how long callers wait.</param>
internal sealed record HostedParts<TKey>(
    Singleflight<TKey>? Engine,
    VerifyingSingleflight<TKey> Verification,
    RolloutSingleflight<TKey> Rollout,
    IServiceScopeFactory Scopes,
    CallerWaits Waits)
    where TKey : notnull
{
    /// <summary>Whether every call can go to the engine at once.</summary>
    public bool AreTransparent => !Waits.AreMeasured && AreIdle;

    /// <summary>Whether neither the rollout nor the verification has anything to do. The wait of a call may still be measured.</summary>
    public bool AreIdle => Rollout.LetsAllThrough && !Verification.IsOn;
}
