namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-row>
public readonly record struct PostKey(long Id);

public sealed class PostService(ISingleflight<PostKey> flights, IPostStore store)
{
    public ValueTask<Post?> FindAsync(PostKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(key, flight => store.FindAsync(key, flight), cancellationToken);
}
// </snippet>

// <snippet cookbook-write>
public sealed class PostEditor(ISingleflight<PostKey> flights, IPostStore store)
{
    public async Task RenameAsync(PostKey key, string title, CancellationToken cancellationToken)
    {
        await store.RenameAsync(key, title, cancellationToken); // a write: each one runs
        flights.Forget(key);
    }
}
// </snippet>

// <snippet cookbook-write-cluster>
public sealed class ClusterPostEditor(IClusterSingleflight<PostKey> cluster, IPostStore store)
{
    public async Task RenameAsync(PostKey key, string title, CancellationToken cancellationToken)
    {
        await store.RenameAsync(key, title, cancellationToken);
        await cluster.ForgetAsync(key); // completes when Redis has forgotten the key
    }
}
// </snippet>

// <snippet cookbook-viewer>
public readonly record struct InboxKey(string Tenant, long ViewerId, int Page);
// </snippet>

public sealed record Post(string Title);

public interface IPostStore
{
    Task<Post?> FindAsync(PostKey key, CancellationToken cancellationToken);

    Task RenameAsync(PostKey key, string title, CancellationToken cancellationToken);
}

public sealed class RowRecipe : IPostStore
{
    private readonly Singleflight<PostKey> _flights = new();
    private readonly Backend<Post?> _backend = new();

    [Fact]
    public async Task Many_callers_are_one_query_and_one_of_them_can_leave()
    {
        var service = new PostService(_flights, this);
        using var aborted = new CancellationTokenSource();
        var leader = service.FindAsync(new PostKey(1), aborted.Token).AsTask();
        var others = Enumerable.Range(0, 9).Select(_ => service.FindAsync(new PostKey(1), default).AsTask()).ToArray();
        var run = await _backend.NextRunAsync();
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        run.Succeed(new Post("viral"));
        Assert.All(await Task.WhenAll(others).SoonAsync(), post => Assert.Equal("viral", post!.Title));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_reader_that_comes_after_a_write_does_not_join_a_read_from_before_it()
    {
        var service = new PostService(_flights, this);
        var early = service.FindAsync(new PostKey(1), default).AsTask();
        var old = await _backend.NextRunAsync();
        await new PostEditor(_flights, this).RenameAsync(new PostKey(1), "new", default);
        var late = service.FindAsync(new PostKey(1), default).AsTask();
        (await _backend.NextRunAsync()).Succeed(new Post("new"));
        Assert.Equal("new", (await late.SoonAsync())!.Title);
        old.Succeed(new Post("old"));
        Assert.Equal("old", (await early.SoonAsync())!.Title);
    }

    Task<Post?> IPostStore.FindAsync(PostKey key, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();

    Task IPostStore.RenameAsync(PostKey key, string title, CancellationToken cancellationToken) => Task.CompletedTask;
}
