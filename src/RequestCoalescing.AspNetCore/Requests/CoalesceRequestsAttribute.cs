namespace RequestCoalescing.AspNetCore;

/// <summary>
/// Lets equal requests of an endpoint that are in the air at once share one run of it. For controllers, actions and Razor pages. The one that is nearest to the
/// endpoint counts. It has no effect without <c>app.UseRequestCoalescing()</c>.
/// </summary>
/// <param name="policy">The name of a policy. Null for the default policy.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class CoalesceRequestsAttribute(string? policy = null) : Attribute
{
    /// <summary>The name of the policy. Null for the default policy.</summary>
    public string? Policy { get; } = policy;

    /// <summary>Whether requests are coalesced. False takes an endpoint out of a group or controller that coalesces. Default <see langword="true"/>.</summary>
    public bool IsEnabled { get; init; } = true;
}
