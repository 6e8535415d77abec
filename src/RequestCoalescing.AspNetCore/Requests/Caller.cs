using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>
/// The part of a caller that its run may see. All of it is in the key. It is read before the caller waits, because the caller's context may belong to another request by
/// the time that the run starts.
/// </summary>
internal sealed record Caller
{
    public required string Scheme { get; init; }

    public required string Host { get; init; }

    public required string PathBase { get; init; }

    public required string Path { get; init; }

    public required string Query { get; init; }

    public required RouteValueDictionary RouteValues { get; init; }

    public required IReadOnlyList<(string Name, string? Value)> Values { get; init; }

    public required ClaimsPrincipal User { get; init; }

    public required CultureInfo Culture { get; init; }

    public required CultureInfo UICulture { get; init; }

    /// <summary>Notes of middleware that has dealt with the endpoint, and that the endpoint asks for.</summary>
    public required IReadOnlyDictionary<object, object?> Marks { get; init; }

    public static Caller Of(HttpContext context, IReadOnlyList<(string Name, string? Value)> values, bool hasUser, string[] marks)
    {
        var request = context.Request;
        return new Caller
        {
            Scheme = request.Scheme,
            Host = request.Host.Value?.ToLowerInvariant() ?? "",
            PathBase = request.PathBase.Value ?? "",
            Path = request.Path.Value ?? "",
            Query = request.QueryString.Value ?? "",
            RouteValues = new RouteValueDictionary(request.RouteValues),
            Values = values,
            User = hasUser ? CopyOf(context.User) : new ClaimsPrincipal(new ClaimsIdentity()),
            Culture = CultureInfo.CurrentCulture,
            UICulture = CultureInfo.CurrentUICulture,
            Marks = marks.Where(context.Items.ContainsKey).ToDictionary(static mark => (object)mark, mark => context.Items[mark]),
        };
    }

    /// <summary>Writes the parts of the key that the request line and the headers do not show.</summary>
    public void AppendTo(KeyText text)
    {
        text.Append(Host);
        text.Append(PathBase);
        text.Append(Path);
        foreach (var (name, value) in RouteValues.OrderBy(static value => value.Key, StringComparer.Ordinal))
        {
            text.Append(name);
            text.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
        }

        text.EndPart();
        foreach (var (_, value) in Values) text.Append(value);
        foreach (var identity in User.Identities)
        {
            text.Append(identity.AuthenticationType);
            text.Append(identity.NameClaimType);
            text.Append(identity.RoleClaimType);
            foreach (var claim in identity.Claims)
            {
                text.Append(claim.Type);
                text.Append(claim.Value);
                text.Append(claim.ValueType);
                text.Append(claim.Issuer);
                text.Append(claim.OriginalIssuer);
            }

            text.EndPart();
        }

        text.Append(Culture.Name);
        text.Append(UICulture.Name);
    }

    // Only what is in the key: no token, no properties, no actor, no subclass.
    private static ClaimsPrincipal CopyOf(ClaimsPrincipal user) => new(user.Identities.Select(static identity => new ClaimsIdentity(
        identity.Claims.Select(static claim => new Claim(claim.Type, claim.Value, claim.ValueType, claim.Issuer, claim.OriginalIssuer)),
        identity.AuthenticationType,
        identity.NameClaimType,
        identity.RoleClaimType)));
}
