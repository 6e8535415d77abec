using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksViewer;

/// <summary>Knows the ways in which code asks for the current user or tenant.</summary>
internal static class Viewer
{
    private static readonly (string Namespace, string Name)[] s_principals =
    [
        ("System.Security.Principal", "IPrincipal"),
        ("System.Security.Principal", "IIdentity"),
    ];

    /// <summary>The members of a context of HTTP that tell about the viewer.</summary>
    private static readonly string[] s_paths =
    [
        ".User", ".Session", ".Items",
        ".Request.Cookies", ".Request.Headers.Cookie", ".Request.Headers[Cookie]", ".Request.Headers.Authorization", ".Request.Headers[Authorization]",
    ];

    private static readonly Regex s_accessor = new(
        "^I?(Current|MultiTenant|Http)?(Tenant|User|Viewer|Principal|Caller|Session)(Context)?(Accessor|Provider|Resolver|Service|Context|Info)?$",
        RegexOptions.CultureInvariant | RegexOptions.Compiled);

    private static readonly Regex s_name = new(
        "user|viewer|tenant|principal|identity|account|customer|subject|caller|member|owner|session|claim|person|login|email|organi[sz]ation|scope|role|visib|permission|audience",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.Compiled);

    /// <summary>Whether an operation yields the viewer, or something that gives access to it.</summary>
    public static bool IsReadBy(IOperation operation)
    {
        if (operation is not (IParameterReferenceOperation or ILocalReferenceOperation or IMemberReferenceOperation or IInvocationOperation) || operation is IMethodReferenceOperation) return false;
        var type = operation.Type;
        if (type is null || operation is IInvocationOperation { TargetMethod.MethodKind: MethodKind.LocalFunction or MethodKind.DelegateInvoke }) return false;
        if (IsContext(type)) return IsWhole(operation) || LeadsToViewer(PathFrom(operation));
        if (type.Is("Microsoft.AspNetCore.Http", "HttpRequest")) return operation is not IMemberReferenceOperation { Instance: { } owner } || !IsContext(owner.Type) ? LeadsToViewer(".Request" + PathFrom(operation)) : false;
        if (IsPrincipal(type)) return !ComesFromViewer(operation);
        return IsAccessor(type) && !ComesFromViewer(operation) && (operation is IInvocationOperation || IsUsed(operation));
    }

    /// <summary>The expression that names the viewer best: <c>context.User</c> for <c>context</c>.</summary>
    public static IOperation PlaceOf(IOperation read)
    {
        if (!IsContext(read.Type) && !read.Type.Is("Microsoft.AspNetCore.Http", "HttpRequest")) return read;
        var place = read;
        while (Input.Next(place) is var (segment, next))
        {
            place = next;
            if (segment.Length > 0) break;
        }

        return place.Syntax is ExpressionSyntax and not (MemberBindingExpressionSyntax or ElementBindingExpressionSyntax) ? place : read;
    }

    /// <summary>The expression that a key can contain instead of the viewer. Null if there is none that is always right.</summary>
    public static string? PartFor(IOperation place)
    {
        var text = place.Syntax.ToString();
        if (place.Type.DerivesFrom("System.Security.Claims", "ClaimsPrincipal")) return text + ".FindFirst(System.Security.Claims.ClaimTypes.NameIdentifier)?.Value";
        if (place.Type.IsData()) return text;
        return place.Parent is IPropertyReferenceOperation { Type: var type } property && property.Instance == place && type.IsData() ? property.Syntax.ToString() : null;
    }

    /// <summary>Whether an operation of a key yields the viewer, or something that is named after one.</summary>
    public static bool IsNamedBy(IOperation operation)
    {
        if (IsReadBy(operation) || (operation.Type is { } type && (IsPrincipal(type) || IsAccessor(type)))) return true;
        var name = operation switch
        {
            IMemberReferenceOperation member => member.Member.Name,
            IInvocationOperation invocation => invocation.TargetMethod.Name,
            IObjectCreationOperation creation => creation.Type?.Name,
            _ => operation.Variable()?.Name,
        };
        return name is not null && s_name.IsMatch(name);
    }

    private static bool IsPrincipal(ITypeSymbol type) => s_principals.Any(principal => type.Implements(principal.Namespace, principal.Name));

    private static bool IsContext(ITypeSymbol? type) => type.DerivesFrom("Microsoft.AspNetCore.Http", "HttpContext");

    /// <summary>An interface or class of the application, or of a library for tenants, that is named after the viewer.</summary>
    private static bool IsAccessor(ITypeSymbol type) =>
        type.TypeKind == TypeKind.Interface && type.Name.Length > 1 && s_accessor.IsMatch(type.Name) &&
        (type.Name.IndexOf("Current", StringComparison.Ordinal) >= 0 || type.Name.EndsWith("Accessor", StringComparison.Ordinal) ||
            type.Name.EndsWith("Context", StringComparison.Ordinal) || type.Name.EndsWith("TenantProvider", StringComparison.Ordinal) || type.Name.EndsWith("TenantInfo", StringComparison.Ordinal));

    /// <summary>Whether the operation is a part of another that is reported: <c>User.Identity</c> of <c>User</c>.</summary>
    private static bool ComesFromViewer(IOperation operation)
    {
        for (var current = InstanceOf(operation); current is not null; current = InstanceOf(current))
        {
            if (current.Type is { } type && (IsPrincipal(type) || IsAccessor(type) || IsContext(type))) return true;
        }

        return false;
    }

    private static IOperation? InstanceOf(IOperation operation) => operation.WithoutConversions() switch
    {
        IMemberReferenceOperation member => member.Instance,
        IInvocationOperation invocation => invocation.Instance,
        _ => null,
    };

    /// <summary>Whether a context is passed on as a whole.</summary>
    private static bool IsWhole(IOperation operation)
    {
        var current = operation;
        while (current.Parent is IConversionOperation or IConditionalAccessOperation)
        {
            if (current.Parent is IConditionalAccessOperation access && access.Operation == current) return false;
            current = current.Parent;
        }

        return current.Parent is IArgumentOperation { Parent: IInvocationOperation { TargetMethod.Name: not ("GetRouteValue" or "GetEndpoint") } } or IArgumentOperation { Parent: IObjectCreationOperation };
    }

    /// <summary>Whether a member of an accessor is used, so that it is not only handed to a constructor of a service.</summary>
    private static bool IsUsed(IOperation operation) => operation.Parent switch
    {
        IMemberReferenceOperation member => member.Instance == operation && !IsContext(member.Type),
        IInvocationOperation invocation => invocation.Instance == operation,
        IConditionalAccessOperation access => access.Operation == operation && !IsContext(access.WhenNotNull.Type),
        IArgumentOperation => true,
        _ => false,
    };

    private static string PathFrom(IOperation operation)
    {
        var path = "";
        for (var current = operation; Input.Next(current) is var (segment, next); current = next) path += segment;
        return path;
    }

    private static bool LeadsToViewer(string path) => s_paths.Any(start => path.StartsWith(start, StringComparison.OrdinalIgnoreCase));
}
