namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC009(IDatabase database, ISingleflight singleflight)
{
    public ValueTask<Post> Before(string id, CancellationToken cancellationToken) =>
        // <snippet rc009-before>
        singleflight.ExecuteAsync($"{id}:{DateTime.UtcNow}", flight => database.LoadPostAsync(id, flight), cancellationToken);
    // </snippet>

    public ValueTask<Post> After(string id, CancellationToken cancellationToken) =>
        // <snippet rc009-after>
        singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
    // </snippet>
}
