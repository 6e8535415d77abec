using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC005(BlogContext blog, ISingleflight singleflight)
{
    public ValueTask<Post> Before(string id, CancellationToken cancellationToken) =>
        // <snippet rc005-before>
        singleflight.ExecuteAsync(id, flight => blog.Posts.FirstAsync(post => post.Id == id, flight), cancellationToken);
    // </snippet>

    public ValueTask<Post> After(string id, CancellationToken cancellationToken) =>
        // <snippet rc005-after>
        singleflight.ExecuteInScopeAsync(
            id,
            (services, flight) => services.GetRequiredService<BlogContext>().Posts.FirstAsync(post => post.Id == id, flight),
            cancellationToken);
    // </snippet>
}
