using System.Diagnostics.CodeAnalysis;

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

    // <snippet rc001-suppressed>
    [SuppressMessage("RequestCoalescing", "RC001", Justification = "The token is the application's: all callers pass the same one.")]
    public ValueTask<Post> LoadAsync(string id, CancellationToken applicationToken) =>
        singleflight.ExecuteAsync(id, flight => database.LoadPostAsync(id, applicationToken), applicationToken);
    // </snippet>
}
