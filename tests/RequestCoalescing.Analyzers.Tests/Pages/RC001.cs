namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC001(IDatabase database, ISingleflight singleflight)
{
    public ValueTask<Post> Before(string id, CancellationToken cancellationToken) =>
        // <snippet rc001-before>
        singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, cancellationToken), cancellationToken);
        // </snippet>

    public ValueTask<Post> After(string id, CancellationToken cancellationToken) =>
        // <snippet rc001-after>
        singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
        // </snippet>

    public ValueTask<Post> Suppressed(string id, CancellationToken cancellationToken)
    {
        // <snippet rc001-suppressed>
        #pragma warning disable RC001 // The token is the application's: all callers pass the same one.
        return singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, cancellationToken), cancellationToken);
        #pragma warning restore RC001
        // </snippet>
    }
}
