using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-ef>
public readonly record struct BlogKey(int Id);

public sealed record BlogView(int Id, string Title, int PostCount);

public sealed class BlogService(ISingleflight<BlogKey> flights, IDbContextFactory<BlogContext> contexts)
{
    public ValueTask<BlogView?> FindAsync(BlogKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(
            key,
            async flight =>
            {
                await using var context = await contexts.CreateDbContextAsync(flight);
                return await QueryAsync(context, key, flight);
            },
            cancellationToken);

    internal static Task<BlogView?> QueryAsync(BlogContext context, BlogKey key, CancellationToken flight) => context.Blogs
        .AsNoTracking()
        .Where(blog => blog.Id == key.Id)
        .Select(blog => new BlogView(blog.Id, blog.Title, blog.Posts.Count))
        .FirstOrDefaultAsync(flight);
}
// </snippet>

// <snippet cookbook-ef-scope>
public sealed class ScopedBlogService(ISingleflight<BlogKey> flights)
{
    public ValueTask<BlogView?> FindAsync(BlogKey key, CancellationToken cancellationToken) =>
        flights.ExecuteInScopeAsync(
            key,
            (services, flight) => BlogService.QueryAsync(services.GetRequiredService<BlogContext>(), key, flight),
            cancellationToken);
}
// </snippet>

public sealed class Blog
{
    public int Id { get; set; }

    public string Title { get; set; } = "";

    public ICollection<BlogPost> Posts { get; } = [];
}

public sealed class BlogPost
{
    public int Id { get; set; }
}

public sealed class BlogContext(DbContextOptions<BlogContext> options) : DbContext(options)
{
    public DbSet<Blog> Blogs => Set<Blog>();
}

public sealed class EntityFrameworkRecipe : IAsyncLifetime
{
    private readonly SqliteConnection _database = new("Data Source=:memory:");
    private readonly Gate _gate = new();
    private ServiceProvider _services = null!;

    public async ValueTask InitializeAsync()
    {
        await _database.OpenAsync();
        _services = new ServiceCollection()
            .AddDbContextFactory<BlogContext>(options => options.UseSqlite(_database).AddInterceptors(_gate))
            .AddLogging()
            .AddScoped<ScopedBlogService>()
            .AddScoped<BlogService>()
            .AddSingleflight<BlogKey>().Services
            .BuildServiceProvider();
        await using var context = await _services.GetRequiredService<IDbContextFactory<BlogContext>>().CreateDbContextAsync();
        await context.Database.EnsureCreatedAsync();
        context.Add(new Blog { Title = "Flights", Posts = { new BlogPost(), new BlogPost() } });
        await context.SaveChangesAsync();
        _gate.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_query_goes_on_when_the_leading_request_has_ended(bool inScope)
    {
        using var aborted = new CancellationTokenSource();
        var request = _services.CreateAsyncScope();
        var leader = FindAsync(request.ServiceProvider, inScope, aborted.Token);
        await using var other = _services.CreateAsyncScope();
        var followers = Enumerable.Range(0, 9).Select(_ => FindAsync(other.ServiceProvider, inScope, default)).ToArray();
        await _gate.Entered.Task.SoonAsync();

        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        await request.DisposeAsync();
        _gate.Open();

        Assert.All(await Task.WhenAll(followers).SoonAsync(), blog => Assert.Equal(new BlogView(1, "Flights", 2), blog));
        Assert.Equal(1, _gate.Queries);
    }

    private static Task<BlogView?> FindAsync(IServiceProvider services, bool inScope, CancellationToken cancellationToken) =>
        (inScope
            ? services.GetRequiredService<ScopedBlogService>().FindAsync(new BlogKey(1), cancellationToken)
            : services.GetRequiredService<BlogService>().FindAsync(new BlogKey(1), cancellationToken)).AsTask();

    /// <summary>Holds queries until the test lets them through.</summary>
    private sealed class Gate : DbCommandInterceptor
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _closed;
        private int _queries;

        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Queries => Volatile.Read(ref _queries);

        public void Close() => _closed = true;

        public void Open() => _open.SetResult();

        public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            if (!_closed) return result;
            Interlocked.Increment(ref _queries);
            Entered.TrySetResult();
            await _open.Task.WaitAsync(cancellationToken);
            return result;
        }
    }
}
