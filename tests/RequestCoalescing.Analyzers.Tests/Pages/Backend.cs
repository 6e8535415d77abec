using Microsoft.EntityFrameworkCore;

namespace RequestCoalescing.Analyzers.Tests.Pages;

/// <summary>The backend from which the code of the pages loads.</summary>
public interface IDatabase
{
    Task<Post> LoadPostAsync(string id, CancellationToken cancellationToken = default);

    Task<IReadOnlyList<Post>> LoadCommentsAsync(string id, int limit, CancellationToken cancellationToken);

    Task<IReadOnlyList<Post>> LoadPostsForAsync(string userId, CancellationToken cancellationToken);
}

/// <summary>A post.</summary>
public sealed record Post(string Id, string Text);

/// <summary>A context of Entity Framework Core.</summary>
public sealed class BlogContext(DbContextOptions<BlogContext> options) : DbContext(options)
{
    public DbSet<Post> Posts => Set<Post>();
}
