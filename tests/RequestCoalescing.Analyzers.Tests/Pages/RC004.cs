using System.Diagnostics.CodeAnalysis;
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

    // <snippet rc004-suppressed>
    [SuppressMessage("RequestCoalescing", "RC004", Justification = "A GraphQL query: the POST reads.")]
    public ValueTask<string> SearchAsync(string query, CancellationToken cancellationToken) => singleflight.ExecuteAsync(
        query,
        async flight =>
        {
            using var response = await client.PostAsync("/graphql", new StringContent(query), flight);
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
