namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC008(ISearch search, ISingleflight singleflight)
{
    public async Task<List<Post>> Before(string query, CancellationToken cancellationToken)
    {
        // <snippet rc008-before>
        var posts = await singleflight.ExecuteAsync(query, flight => search.FindAsync(query, flight), cancellationToken);
        posts.Sort((one, other) => string.CompareOrdinal(one.Text, other.Text));
        return posts;
        // </snippet>
    }

    public async Task<List<Post>> After(string query, CancellationToken cancellationToken)
    {
        // <snippet rc008-after>
        List<Post> posts = [.. await singleflight.ExecuteAsync(query, flight => search.FindAsync(query, flight), cancellationToken)];
        posts.Sort((one, other) => string.CompareOrdinal(one.Text, other.Text));
        return posts;
        // </snippet>
    }
}

internal interface ISearch
{
    Task<List<Post>> FindAsync(string query, CancellationToken cancellationToken);
}
