using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing;

/// <summary>
/// An <see cref="ISingleflight{TKey}"/> that can give a flight services of its own. Instances that <c>AddSingleflight</c> registers implement it.
/// Implement it on an instance that you register yourself, so that <see cref="SingleflightScopeExtensions"/> work with it.
/// </summary>
public interface IScopedSingleflight
{
    /// <summary>Creates the service scope of a flight. Null if the instance has none. Safe to call from any number of threads at once.</summary>
    IServiceScopeFactory? Scopes { get; }
}
