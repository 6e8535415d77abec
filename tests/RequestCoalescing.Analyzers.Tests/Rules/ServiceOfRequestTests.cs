using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.ServiceOfRequest.ServiceOfRequestAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC005.</summary>
public sealed class ServiceOfRequestTests
{
    [Theory]
    [InlineData("posts.ExecuteAsync(id, flight => [|blog|].Posts.FirstAsync(post => post.Id == id, flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|_blog|].Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|_blog|].Posts.Where(post => _blog.Posts.Any()).FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|injected|].Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|own|].Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => blog.Model.GetEntityTypes().Any() ? [|blog|].Posts.FirstAsync(flight) : null!, ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult([|_model|].Model), ct)")]
    [InlineData("posts.ExecuteAsync(id, ([|blog|], id), static (state, flight) => state.blog.Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, MemberAsync, ct)", "[|_blog|]")]
    [InlineData("posts.ExecuteAsync(id, flight => [|context.RequestServices|].GetRequiredService<BlogContext>().Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult([|connection|].State), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult([|scope|].ServiceProvider), ct)")]
    [InlineData("posts.ExecuteInScopeAsync(id, (services, flight) => [|blog|].Posts.FirstAsync(flight), ct)")]
    public Task A_service_that_ends_with_a_request_is_found(string call, string member = "Make()") => Rule.FindsAsync(InClass(call, member));

    [Theory]
    [InlineData("posts.ExecuteInScopeAsync(id, (services, flight) => services.GetRequiredService<BlogContext>().Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, async flight => { await using var fresh = await factory.CreateDbContextAsync(flight); return await fresh.Posts.FirstAsync(flight); }, ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => repository.FindAsync(id, flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult(memory.Get(id)), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => client.GetStringAsync(\"/\", flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult(scope.ServiceProvider))")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult(nameof(blog)), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => Task.FromResult(blog.Model.GetEntityTypes().Count()), ct)")]
    [InlineData("posts.ExecuteAsync(blog.Posts.First().Id, flight => 5, ct)")]
    [InlineData("blog.Posts.FirstAsync(ct)")]
    public Task Other_services_are_left_alone(string call) => Rule.NoneAsync(InClass(call));

    [Fact]
    public Task The_context_of_a_minimal_endpoint_is_found() => Rule.FindsAsync(
        """
        class Post { public string Id { get; set; } = ""; }
        class BlogContext : DbContext { public DbSet<Post> Posts => Set<Post>(); }

        static class App
        {
            static void Map(WebApplication app) => app.MapGet("/{id}", async (string id, BlogContext blog, ISingleflight posts, CancellationToken ct) =>
                await posts.ExecuteAsync(id, flight => [|blog|].Posts.FirstAsync(post => post.Id == id, flight), ct));
        }
        """);

    [Theory]
    [InlineData("posts.ExecuteAsync(id, flight => [|blog|].Posts.FirstAsync(flight), ct)", "posts.ExecuteInScopeAsync(id, (services, flight) => services.GetRequiredService<BlogContext>().Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, async flight => await [|_blog|].Posts.FirstAsync(flight), ct)", "posts.ExecuteInScopeAsync(id, async (services, flight) => await services.GetRequiredService<BlogContext>().Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|_blog|].Posts.Where(post => _blog.Posts.Any()).FirstAsync(flight), ct)", "posts.ExecuteInScopeAsync(id, (services, flight) => services.GetRequiredService<BlogContext>().Posts.Where(post => services.GetRequiredService<BlogContext>().Posts.Any()).FirstAsync(flight), ct)")]
    public Task The_fix_uses_a_scope_of_the_flight(string before, string after) => Rule.FixesAsync<OwnScopeFix>(InClass(before), InClass(after));

    [Theory]
    [InlineData("new Singleflight().ExecuteAsync(id, flight => [|blog|].Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, (FlightContext flight) => [|blog|].Posts.FirstAsync(flight), ct)")]
    [InlineData("posts.ExecuteAsync(id, flight => [|blog|].Posts.Any(), ct)")]
    [InlineData("posts.ExecuteAsync(id, (blog: [|blog|], id), static (state, flight) => state.blog.Posts.FirstAsync(flight), ct)")]
    public Task No_fix_is_offered_where_it_is_not_certain(string call) => Rule.FixesAsync<OwnScopeFix>(InClass(call), InClass(call));

    private static string InClass(string call, string member = "Make()") =>
        $$"""
        class Post { public string Id { get; set; } = ""; }
        class BlogContext : DbContext { public DbSet<Post> Posts => Set<Post>(); }
        class ModelContext : DbContext { public new string Model { get; set; } = ""; }
        interface IRepository { Task<Post> FindAsync(string id, CancellationToken ct); }

        class C(BlogContext injected)
        {
            private readonly BlogContext _blog = null!;
            private readonly ModelContext _model = null!;

            void M(string id, ISingleflight posts, BlogContext blog, IDbContextFactory<BlogContext> factory, IRepository repository, IMemoryCache memory, System.Net.Http.HttpClient client,
                HttpContext context, [FromServices] System.Data.Common.DbConnection connection, IServiceProvider provider, CancellationToken ct)
            {
                using var own = factory.CreateDbContext();
                using var scope = provider.CreateScope();
                _ = {{call}};
            }

            BlogContext Make() => injected;
            Task<Post> MemberAsync(CancellationToken flight) => {{member}}.Posts.FirstAsync(flight);
        }
        """;
}
