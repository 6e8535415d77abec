using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.DependencyInjection;

/// <summary>An instance that a service provider holds, and that can therefore give a flight services of its own.</summary>
internal interface IScopedSingleflight
{
    IServiceScopeFactory Scopes { get; }
}
