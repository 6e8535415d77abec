namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC012(IDatabase database, ISingleflight singleflight)
{
    private readonly Singleflight<(string Blog, string Id)> _posts = new();

    public ValueTask<Post> Before(string blog, string id, CancellationToken cancellationToken) =>
        // <snippet rc012-before>
        singleflight.ExecuteAsync($"{blog}:{id}", flight => database.LoadPostAsync(blog + "/" + id, flight), cancellationToken);
    // </snippet>

    public ValueTask<Post> After(string blog, string id, CancellationToken cancellationToken) =>
        // <snippet rc012-after>
        _posts.ExecuteAsync((blog, id), flight => database.LoadPostAsync(blog + "/" + id, flight), cancellationToken);
    // </snippet>
}
