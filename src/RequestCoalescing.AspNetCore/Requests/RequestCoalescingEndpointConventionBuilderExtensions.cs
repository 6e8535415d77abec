using RequestCoalescing.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Chooses the endpoints whose requests are coalesced.</summary>
public static class RequestCoalescingEndpointConventionBuilderExtensions
{
    /// <summary>Lets equal requests that are in the air at once share one run of the endpoint.</summary>
    /// <typeparam name="TBuilder">The type of the endpoint or group.</typeparam>
    /// <param name="builder">The endpoint or group.</param>
    /// <param name="policy">The name of a policy. Null for the default policy. An unknown name is an error when the host starts.</param>
    /// <returns>The endpoint or group.</returns>
    public static TBuilder WithRequestCoalescing<TBuilder>(this TBuilder builder, string? policy = null)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new CoalesceRequestsAttribute(policy));

    /// <summary>Takes an endpoint out of a group that coalesces.</summary>
    /// <typeparam name="TBuilder">The type of the endpoint or group.</typeparam>
    /// <param name="builder">The endpoint or group.</param>
    /// <returns>The endpoint or group.</returns>
    public static TBuilder DisableRequestCoalescing<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new CoalesceRequestsAttribute { IsEnabled = false });
}
