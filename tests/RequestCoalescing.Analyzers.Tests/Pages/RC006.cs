namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC006(IDatabase database, ISingleflight singleflight)
{
    public async Task<bool> Before(string id, CancellationToken cancellationToken)
    {
        // <snippet rc006-before>
        var load = singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
        var post = await load;
        return (await load).Text.Length > post.Id.Length;
        // </snippet>
    }

    public async Task<bool> After(string id, CancellationToken cancellationToken)
    {
        // <snippet rc006-after>
        var load = singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken).AsTask();
        var post = await load;
        return (await load).Text.Length > post.Id.Length;
        // </snippet>
    }
}
