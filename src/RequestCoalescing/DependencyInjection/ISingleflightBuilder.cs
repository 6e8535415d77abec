using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing;

/// <summary>An instance that is being registered. Extension methods of this type add features to it.</summary>
public interface ISingleflightBuilder
{
    /// <summary>The services in which the instance is registered.</summary>
    IServiceCollection Services { get; }

    /// <summary>The name of the instance and of its options. Empty for the instance without a name.</summary>
    string Name { get; }

    /// <summary>The type of its keys.</summary>
    Type KeyType { get; }
}
