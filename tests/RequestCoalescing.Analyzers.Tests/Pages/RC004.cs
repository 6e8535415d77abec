using System.Net.Http;

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC004(BlogContext blog, HttpClient client, ISingleflight singleflight)
{
    public async Task Before(string postId, string userId, CancellationToken cancellationToken)
    {
        // <snippet rc004-before>
        await singleflight.ExecuteAsync(
            postId,
            async flight =>
            {
                blog.Add(new Like(postId, userId));
                await blog.SaveChangesAsync(flight);
            },
            cancellationToken);
        // </snippet>
    }

    public async Task After(string postId, string userId, CancellationToken cancellationToken)
    {
        // <snippet rc004-after>
        blog.Add(new Like(postId, userId));
        await blog.SaveChangesAsync(cancellationToken);
        singleflight.Forget(postId); // flights that may have read the old count
        // </snippet>
    }

    public ValueTask<string> Suppressed(string query, CancellationToken cancellationToken) =>
        // <snippet rc004-suppressed>
        singleflight.ExecuteAsync(
            query,
            async flight =>
            {
        #pragma warning disable RC004 // A GraphQL query: the POST reads.
                using var response = await client.PostAsync("/graphql", new StringContent(query), flight);
        #pragma warning restore RC004
                return await response.Content.ReadAsStringAsync(flight);
            },
            cancellationToken);
        // </snippet>
}

internal sealed record Like(string PostId, string UserId);

// <snippet rc004-attribute>
public interface IOrders
{
    Task<Order> LoadAsync(string id, CancellationToken cancellationToken);

    [SideEffects]
    Task<Order> PlaceAsync(Order order, CancellationToken cancellationToken);
}
// </snippet>

/// <summary>An order.</summary>
public sealed record Order(string Id);
