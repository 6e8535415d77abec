using System.Net.Http;
using Microsoft.AspNetCore.Http;

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal sealed class RC007(HttpClient client, ISingleflight singleflight)
{
    public async Task Before(string name, HttpResponse response, CancellationToken cancellationToken)
    {
        // <snippet rc007-before>
        await using var image = await singleflight.ExecuteAsync(name, flight => client.GetStreamAsync($"/images/{name}", flight), cancellationToken);
        await image.CopyToAsync(response.Body, cancellationToken);
        // </snippet>
    }

    public async Task After(string name, HttpResponse response, CancellationToken cancellationToken)
    {
        // <snippet rc007-after>
        var image = await singleflight.ExecuteAsync(name, flight => client.GetByteArrayAsync($"/images/{name}", flight), cancellationToken);
        await response.Body.WriteAsync(image, cancellationToken);
        // </snippet>
    }
}
