using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace RequestCoalescing.Yarp;

/// <summary>Notes, on each request that is forwarded, by which policy its route coalesces. The client of the cluster reads it.</summary>
internal sealed class RouteOptIn(IEnumerable<ProxyPolicy> policies) : ITransformProvider
{
    public const string DefaultPolicy = "default";

    private const string Metadata = "RequestCoalescing";

    private static readonly HttpRequestOptionsKey<Choice> s_choice = new("RequestCoalescing.Yarp");

    private readonly Dictionary<string, ProxyPolicy> _policies = policies.ToDictionary(static policy => policy.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Takes the note off a request, so that it does not keep the request from being shared.</summary>
    public static Choice? Take(HttpRequestMessage request)
    {
        if (!request.Options.TryGetValue(s_choice, out var choice)) return null;
        ((IDictionary<string, object?>)request.Options).Remove(s_choice.Key);
        return choice;
    }

    public void ValidateRoute(TransformRouteValidationContext context)
    {
        if (context.Route.Metadata?.GetValueOrDefault(Metadata) is { } name && !_policies.ContainsKey(name))
        {
            context.Errors.Add(new ArgumentException($"The route '{context.Route.RouteId}' coalesces by the policy '{name}', which does not exist. There are: {string.Join(", ", _policies.Keys.Order(StringComparer.Ordinal))}."));
        }
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
    }

    public void Apply(TransformBuilderContext context)
    {
        if (context.Route.Metadata?.GetValueOrDefault(Metadata) is not { } name || !_policies.TryGetValue(name, out var policy)) return;
        var choice = new Choice(policy, $"{context.Route.RouteId}|{context.Cluster?.ClusterId}|");
        context.AddRequestTransform(transform =>
        {
            transform.ProxyRequest.Options.Set(s_choice, choice);
            return ValueTask.CompletedTask;
        });
    }

    /// <param name="Policy">The policy.</param>
    /// <param name="Origin">Stands for the destination in the key, because all destinations of a cluster serve the same.</param>
    public sealed record Choice(ProxyPolicy Policy, string Origin);
}
