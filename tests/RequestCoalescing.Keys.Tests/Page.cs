using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Keys.Tests.Page;

// <snippet keys-key>
[CoalescingKey]
public readonly partial record struct PostKey(string Id, int Limit);
// </snippet>

// <snippet keys-method>
public sealed partial class PostService(Database database)
{
    [Coalesce]
    public partial Task<Post> GetPostAsync(string id, int limit, CancellationToken cancellationToken);

    private Task<Post> GetPostCoreAsync(string id, int limit, CancellationToken flight) => database.LoadPostAsync(id, limit, flight);
}
// </snippet>

// <snippet keys-forget>
public sealed partial class CommentService(Database database)
{
    [Coalesce]
    public partial Task<string[]> GetCommentsAsync(long postId, [NotInKey("only written to the log")] string caller, CancellationToken cancellationToken);

    public async Task AddCommentAsync(long postId, string text, CancellationToken cancellationToken)
    {
        await database.AddCommentAsync(postId, text, cancellationToken);
        ForgetGetComments(postId);    // generated: callers after this start anew
    }

    private async Task<string[]> GetCommentsCoreAsync(long postId, string caller, FlightContext flight) =>
        await database.LoadCommentsAsync(postId, caller, flight);
}
// </snippet>

// <snippet keys-engine>
public sealed partial class PageService(ISingleflight<PostKey> posts, IServiceScopeFactory scopes)
{
    [Coalesce(Engine = nameof(posts))]
    public partial Task<Post> GetPostAsync(string id, int limit, CancellationToken cancellationToken);

    private async Task<Post> GetPostCoreAsync(string id, int limit, CancellationToken flight)
    {
        await using var scope = scopes.CreateAsyncScope();    // the scoped services of a caller may end before the work
        return await scope.ServiceProvider.GetRequiredService<Database>().LoadPostAsync(id, limit, flight);
    }
}
// </snippet>

// <snippet keys-interface>
public interface IPosts
{
    [Coalesce]
    Task<Post> GetPostAsync(string id, int limit, CancellationToken cancellationToken);

    Task SaveAsync(Post post, CancellationToken cancellationToken);
}
// </snippet>

public sealed record Post(string Id);

public sealed class PostRepository(Database database) : IPosts
{
    public Task<Post> GetPostAsync(string id, int limit, CancellationToken cancellationToken) => database.LoadPostAsync(id, limit, cancellationToken);

    public Task SaveAsync(Post post, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>In place of the reader's own database.</summary>
public sealed class Database
{
    public Backend<Post> Backend { get; } = new();

    public Backend<string[]> Comments { get; } = new();

    public Task<Post> LoadPostAsync(string id, int limit, CancellationToken flight) => Backend.RunAsync(flight).AsTask();

    [SuppressMessage("Style", "IDE0060", Justification = "The caller is an example.")]
    public Task<string[]> LoadCommentsAsync(long postId, string caller, CancellationToken flight) => Comments.RunAsync(flight).AsTask();

    public List<string> Added { get; } = [];

    public Task AddCommentAsync(long postId, string text, CancellationToken cancellationToken)
    {
        Added.Add(text);
        return Task.CompletedTask;
    }
}

/// <summary>The code of docs/keys.md.</summary>
public sealed class PageTests
{
    [Fact]
    public async Task A_method_is_coalesced()
    {
        var database = new Database();
        var service = new PostService(database);
        var callers = new[] { service.GetPostAsync("a", 10, default), service.GetPostAsync("a", 10, default) };
        (await database.Backend.NextRunAsync()).Succeed(new Post("a"));
        Assert.All(await Task.WhenAll(callers).SoonAsync(), post => Assert.Equal("a", post.Id));
        Assert.Equal(1, database.Backend.Runs);
    }

    [Fact]
    public async Task A_write_forgets_the_flight_that_read_before_it()
    {
        var database = new Database();
        var service = new CommentService(database);
        var before = service.GetCommentsAsync(7, "one", default);
        var old = await database.Comments.NextRunAsync();
        await service.AddCommentAsync(7, "new", default);
        var after = service.GetCommentsAsync(7, "two", default);
        (await database.Comments.NextRunAsync()).Succeed(["new"]);
        old.Succeed([]);
        Assert.Equal(["new"], database.Added);
        Assert.Empty(await before.SoonAsync());
        Assert.Equal(["new"], await after.SoonAsync());
    }

    [Fact]
    public async Task Services_of_requests_share_a_registered_engine()
    {
        var services = new ServiceCollection();
        services.AddSingleton<Database>().AddScoped<PageService>();
        services.AddSingleflight<PostKey>();
        await using var provider = services.BuildServiceProvider();
        await using var one = provider.CreateAsyncScope();
        await using var other = provider.CreateAsyncScope();
        var callers = new[] { one, other }.Select(scope => scope.ServiceProvider.GetRequiredService<PageService>().GetPostAsync("a", 10, default)).ToArray();
        var database = provider.GetRequiredService<Database>();
        (await database.Backend.NextRunAsync()).Succeed(new Post("a"));
        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(1, database.Backend.Runs);
    }

    [Fact]
    public async Task The_class_of_an_interface_is_registered()
    {
        var services = new ServiceCollection();
        services.AddSingleton<Database>();
        // <snippet keys-register>
        services.AddSingleton<PostRepository>();
        services.AddSingleton<IPosts>(provider => new CoalescedPosts(provider.GetRequiredService<PostRepository>()));
        // </snippet>
        await using var provider = services.BuildServiceProvider();
        var posts = provider.GetRequiredService<IPosts>();
        var callers = new[] { posts.GetPostAsync("a", 10, default), posts.GetPostAsync("a", 10, default) };
        var database = provider.GetRequiredService<Database>();
        (await database.Backend.NextRunAsync()).Succeed(new Post("a"));
        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(1, database.Backend.Runs);
    }

    [Fact]
    public void Generated_keys_are_registered_for_Redis()
    {
        var builder = new { Services = new ServiceCollection() };
        // <snippet xml-redis-generated>
        builder.Services.AddSingleflight<PostKey>().UseRedis<PostKey>();    // [CoalescingKey] partial record struct PostKey(string Id, int Limit)
        // </snippet>
        Assert.NotEmpty(builder.Services);
    }
}
