using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The code of docs/production.md and docs/cluster.md.</summary>
internal static class Production
{
    public static void Register(WebApplicationBuilder builder)
    {
        // <snippet production-register>
        builder.Services.AddSingleflight();                                                   // ISingleflight
        builder.Services.AddSingleflight("weather", options => options.MaxInFlight = 500);   // [FromKeyedServices("weather")] ISingleflight
        builder.Services.AddSingleflight<PostKey>("posts");                                  // [FromKeyedServices("posts")] ISingleflight<PostKey>
        // </snippet>
    }

    public static async Task ScopeAsync(ISingleflight<PostKey> posts, PostKey key, CancellationToken cancellationToken)
    {
        // <snippet production-scope>
        await posts.ExecuteInScopeAsync(key, async (services, flight) =>
            await services.GetRequiredService<BlogContext>().Posts.FindAsync([key.Id], flight), cancellationToken);
        // </snippet>
    }

    public static void Errors(WebApplicationBuilder builder, WebApplication app)
    {
        // <snippet production-errors>
        builder.Services.AddSingleflightExceptionHandler(errors => errors.RetryAfter = TimeSpan.FromSeconds(2));

        app.UseExceptionHandler();
        // </snippet>
    }

    public static async Task ClusterAsync(WebApplicationBuilder builder, StackExchange.Redis.IConnectionMultiplexer connection)
    {
        // <snippet cluster>
        builder.Services.AddSingleflight("posts").UseRedis("redis:6379");          // a connection of its own
        builder.Services.AddSingleflight("posts").UseRedis();                      // the IConnectionMultiplexer among the services
        builder.Services.AddSingleflight<PostKey>("posts").UseRedis<PostKey>(key => $"{key.Id}:{key.Limit}");

        await using var posts = new RedisSingleflight(connection);                 // without dependency injection
        // </snippet>
    }

    internal readonly record struct PostKey(long Id, int Limit);

    internal sealed class Post
    {
        public long Id { get; set; }
    }

    internal sealed class BlogContext(DbContextOptions<BlogContext> options) : DbContext(options)
    {
        public DbSet<Post> Posts => Set<Post>();
    }
}
