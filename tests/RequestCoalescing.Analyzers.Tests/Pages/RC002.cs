namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC002(IDatabase database)
{
    // <snippet rc002-before>
    private readonly Singleflight<string> _byPost = new();

    public ValueTask<IReadOnlyList<Post>> GetFirstAsync(string id, int limit, CancellationToken cancellationToken) =>
        _byPost.ExecuteAsync(id, flight => database.LoadCommentsAsync(id, limit, flight), cancellationToken);
    // </snippet>

    // <snippet rc002-after>
    private readonly Singleflight<(string Id, int Limit)> _comments = new();

    public ValueTask<IReadOnlyList<Post>> GetCommentsAsync(string id, int limit, CancellationToken cancellationToken) =>
        _comments.ExecuteAsync((id, limit), flight => database.LoadCommentsAsync(id, limit, flight), cancellationToken);
    // </snippet>
}
