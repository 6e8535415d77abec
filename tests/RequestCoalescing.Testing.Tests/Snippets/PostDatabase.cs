namespace RequestCoalescing.Testing.Tests.Snippets;

public sealed class PostDatabase : IPostDatabase
{
    private int _queries;

    public int Queries => _queries;

    public Task<string> LoadAsync(long id, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _queries);
        return Task.FromResult($"post {id}");
    }

    public Task SaveAsync(long id, string text) => Task.CompletedTask;
}
