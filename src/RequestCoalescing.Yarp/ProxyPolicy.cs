using RequestCoalescing.Http;

namespace RequestCoalescing.Yarp;

/// <summary>A policy that routes choose.</summary>
/// <param name="Name">The name.</param>
/// <param name="Coalescer">Coalesces its requests.</param>
/// <param name="Limits">Returns the options of its instance, as they are now.</param>
internal sealed record ProxyPolicy(string Name, HttpCoalescer Coalescer, Func<SingleflightOptions> Limits);
