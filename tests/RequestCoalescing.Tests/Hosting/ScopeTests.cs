using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>A flight has its own scope of services. The tests use a real <see cref="DbContext"/>.</summary>
public sealed class ScopeTests : IAsyncDisposable
{
    private readonly SqliteConnection _keepAlive = new($"Data Source=file:{Guid.NewGuid():N}?mode=memory&cache=shared");
    private readonly ServiceProvider _provider;
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<PostContext> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ScopeTests()
    {
        _keepAlive.Open();
        var services = new ServiceCollection();
        services.AddDbContext<PostContext>(options => options.UseSqlite(_keepAlive.ConnectionString));
        services.AddSingleflight();
        _provider = services.BuildServiceProvider(validateScopes: true);
        using var scope = _provider.CreateScope();
        var database = scope.ServiceProvider.GetRequiredService<PostContext>();
        database.Database.EnsureCreated();
        database.Posts.Add(new Post { Id = 1, Title = "viral" });
        database.SaveChanges();
    }

    private ISingleflight Singleflight => _provider.GetRequiredService<ISingleflight>();

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        await _keepAlive.DisposeAsync();
    }

    [Fact]
    public async Task A_flight_outlives_the_request_of_its_aborted_leader()
    {
        using var aborted = new CancellationTokenSource();
        var request = _provider.CreateAsyncScope();
        var leader = Singleflight.ExecuteInScopeAsync("post:1", LoadAsync, aborted.Token).AsTask();
        var database = await _started.Task.SoonAsync();
        Assert.NotSame(database, request.ServiceProvider.GetRequiredService<PostContext>());
        var follower = Singleflight.ExecuteInScopeAsync("post:1", LoadAsync).AsTask();

        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        await request.DisposeAsync(); // as ASP.NET Core does after an aborted request
        _go.SetResult();

        Assert.Equal("viral", (await follower.SoonAsync())!.Title);
        await Patience.UntilAsync(() => IsDisposed(database), "the flight's scope has ended with its work");
    }

    [Fact]
    public async Task The_leaders_own_context_fails_under_the_same_conditions()
    {
        // This shows the failure that the test above guards against.
        using var aborted = new CancellationTokenSource();
        var request = _provider.CreateAsyncScope();
        var database = request.ServiceProvider.GetRequiredService<PostContext>();
        ValueTask<Post?> LoadAsync(CancellationToken cancellationToken) => this.LoadAsync(request.ServiceProvider, cancellationToken);

        var leader = Singleflight.ExecuteAsync("post:1", LoadAsync, aborted.Token).AsTask();
        await _started.Task.SoonAsync();
        var follower = Singleflight.ExecuteAsync("post:1", LoadAsync).AsTask();
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        await request.DisposeAsync();
        _go.SetResult();
        await follower.ThrowsAsync<ObjectDisposedException>();
        Assert.True(IsDisposed(database));
    }

    [Fact]
    public async Task The_scope_ends_when_the_work_fails()
    {
        PostContext? database = null;
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Singleflight.ExecuteInScopeAsync("a", Task<int> (services, _) =>
        {
            database = services.GetRequiredService<PostContext>();
            throw new InvalidTimeZoneException();
        }));
        Assert.True(IsDisposed(database!));
    }

    [Fact]
    public async Task An_engine_without_a_service_provider_refuses_scopes()
    {
        await using var singleflight = new Singleflight();
        Assert.Throws<ArgumentException>("singleflight", () => { _ = singleflight.ExecuteInScopeAsync("a", static (_, _) => ValueTask.FromResult(1)); });
        Assert.Throws<ArgumentNullException>("work", () => { _ = Singleflight.ExecuteInScopeAsync("a", (Func<IServiceProvider, CancellationToken, Task<int>>)null!); });
    }

    private static bool IsDisposed(PostContext database)
    {
        try
        {
            _ = database.Model;
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    private async ValueTask<Post?> LoadAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var database = services.GetRequiredService<PostContext>();
        _started.TrySetResult(database);
        await _go.Task;
        return await database.Posts.FirstOrDefaultAsync(post => post.Id == 1, cancellationToken);
    }

    public sealed class Post
    {
        public long Id { get; set; }

        public string Title { get; set; } = "";
    }

    public sealed class PostContext(DbContextOptions<PostContext> options) : DbContext(options)
    {
        public DbSet<Post> Posts => Set<Post>();
    }
}
