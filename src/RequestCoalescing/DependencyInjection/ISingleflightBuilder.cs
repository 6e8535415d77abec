using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing;

/// <summary>An instance that is being registered; what can be added to it hangs on this as extension methods.</summary>
public interface ISingleflightBuilder
{
    /// <summary>The services in which the instance is registered.</summary>
    IServiceCollection Services { get; }

    /// <summary>The name of the instance and of its options; empty for the one that has none.</summary>
    string Name { get; }

    /// <summary>The type of its keys.</summary>
    Type KeyType { get; }
}
