using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Checks, when the host starts, that the middleware has its place after routing, authentication and authorization.</summary>
internal sealed class Pipelines : IStartupFilter
{
    // ASP.NET Core leaves these in the properties of an application when a middleware is added.
    private static readonly (string Property, string Middleware)[] s_earlier =
    [
        ("__EndpointRouteBuilder", "UseRouting"),
        ("__AuthenticationMiddlewareSet", "UseAuthentication"),
        ("__AuthorizationMiddlewareSet", "UseAuthorization"),
    ];

    private readonly List<(IDictionary<string, object?> Properties, string[] Missing)> _uses = [];

    /// <summary>Whether any pipeline has the middleware.</summary>
    public bool IsUsed => _uses.Count > 0;

    /// <summary>Notes that the middleware is added now, and what has not been added yet.</summary>
    public void Use(IDictionary<string, object?> properties) =>
        _uses.Add((properties, [.. s_earlier.Where(earlier => !properties.ContainsKey(earlier.Property)).Select(static earlier => earlier.Property)]));

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // By now, a WebApplication has the middleware that the application has added itself. ASP.NET Core puts the middleware that it adds later before all else.
        var before = _uses.Count;
        ThrowIfLate(_uses);
        next(app);
        ThrowIfLate(_uses.Skip(before)); // those of an application that adds its middleware only now
    };

    private static void ThrowIfLate(IEnumerable<(IDictionary<string, object?> Properties, string[] Missing)> uses)
    {
        foreach (var (properties, missing) in uses)
        {
            foreach (var (property, middleware) in s_earlier)
            {
                if (missing.Contains(property) && properties.ContainsKey(property)) throw new InvalidOperationException($"Call app.{middleware}() before app.UseRequestCoalescing().");
            }
        }
    }
}
