using System.Security.Claims;

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC003(IDatabase database, ISingleflight singleflight)
{
    public ValueTask<IReadOnlyList<Post>> Before(ClaimsPrincipal user, CancellationToken cancellationToken) =>
        // <snippet rc003-before>
        singleflight.ExecuteAsync(
            "timeline",
            flight => database.LoadPostsForAsync(user.FindFirst(ClaimTypes.NameIdentifier)!.Value, flight),
            cancellationToken);
    // </snippet>

    public ValueTask<IReadOnlyList<Post>> After(ClaimsPrincipal user, CancellationToken cancellationToken)
    {
        // <snippet rc003-after>
        var userId = user.FindFirst(ClaimTypes.NameIdentifier)!.Value;
        return singleflight.ExecuteAsync($"timeline:{userId}", flight => database.LoadPostsForAsync(userId, flight), cancellationToken);
        // </snippet>
    }
}
