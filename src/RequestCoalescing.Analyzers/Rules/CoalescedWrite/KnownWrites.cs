using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CoalescedWrite;

/// <summary>Recognizes operations that write, by the method that they call, or by the SQL that they pass on.</summary>
internal static class KnownWrites
{
    private static readonly string[] s_httpVerbs = ["Post", "Put", "Patch", "Delete"];

    private static readonly string[] s_httpNamespaces = ["System.Net.Http", "System.Net.Http.Json", "RestSharp", "Flurl.Http"];

    private static readonly string[] s_queries = ["Execute", "Query", "FromSql", "SqlQuery"];

    /// <summary>Returns the name of the method, or the verb of SQL, that writes. Null if the operation is not known to write.</summary>
    public static string? Of(IOperation operation) => operation switch
    {
        IInvocationOperation invocation => OfCall(invocation),
        IMethodReferenceOperation reference when IsMarked(reference.Method) || IsWrite(reference.Method, reference.Instance?.Type) => reference.Method.Name,
        IObjectCreationOperation { Type: { } type } creation when type.DerivesFrom("System.Data.Common", "DbCommand") => Verb(creation.Arguments),
        ISimpleAssignmentOperation { Target: IPropertyReferenceOperation { Property.Name: "CommandText" } } assignment => SqlText.Verb(assignment.Value),
        _ => null,
    };

    private static string? OfCall(IInvocationOperation invocation)
    {
        var method = invocation.TargetMethod;
        if (IsMarked(method)) return method.Name;
        var receiver = invocation.Instance?.Type ?? (method.IsExtensionMethod ? invocation.Arguments.FirstOrDefault()?.Value.WithoutConversions().Type : null);
        if (IsWrite(method, receiver)) return IsHarmless(invocation) ? null : method.Name;
        return s_queries.Any(query => method.Name.StartsWith(query, StringComparison.Ordinal)) && !receiver.Implements("RequestCoalescing", "ISingleflight`1")
            ? Verb(invocation.Arguments)
            : null;
    }

    private static bool IsWrite(IMethodSymbol method, ITypeSymbol? receiver)
    {
        var type = method.ContainingType;
        return Synchronous(method.Name) switch
        {
            "SaveChanges" or "ExecuteNonQuery" => true,
            "ExecuteUpdate" or "ExecuteDelete" or "ExecuteSql" or "ExecuteSqlRaw" or "ExecuteSqlInterpolated" => IsIn(type, "Microsoft.EntityFrameworkCore"),
            "Execute" => type.Is("Dapper", "SqlMapper"),
            "Insert" or "Update" or "Delete" when type.Is("Dapper.Contrib.Extensions", "SqlMapperExtensions") => true,
            var name when name.StartsWith("Write", StringComparison.Ordinal) || name.StartsWith("Append", StringComparison.Ordinal) => type.Is("System.IO", "File"),
            var name when s_httpVerbs.Any(verb => name.StartsWith(verb, StringComparison.Ordinal)) => s_httpNamespaces.Any(client => IsIn(type, client)),
            _ => MessageClients.IsSend(method, receiver),
        };
    }

    /// <summary>A statement that the code shows to be no write, and a request for an access token.</summary>
    private static bool IsHarmless(IInvocationOperation invocation)
    {
        switch (Synchronous(invocation.TargetMethod.Name))
        {
            case "ExecuteNonQuery":
                return TextOf(invocation.Instance) is { } text && SqlText.IsOther(text);
            case "Execute" or "ExecuteSql" or "ExecuteSqlRaw" or "ExecuteSqlInterpolated":
                return invocation.Arguments.Any(argument => SqlText.IsOther(argument.Value));
            case var name when name.StartsWith("Post", StringComparison.Ordinal):
                return AsksForToken(invocation);
            default:
                return false;
        }
    }

    /// <summary>The text of a command that the same function creates. Null if it is not known.</summary>
    private static IOperation? TextOf(IOperation? command)
    {
        if (command?.WithoutConversions() is not ILocalReferenceOperation { Local: var local } reference) return null;
        var texts = reference.ReferencesTo(local)
            .Select(use => use.Parent is IPropertyReferenceOperation { Property.Name: "CommandText", Parent: ISimpleAssignmentOperation assignment } ? assignment.Value : null)
            .OfType<IOperation>()
            .ToList();
        if (texts.Count > 1) return null;
        return texts.FirstOrDefault() ?? ((reference.OnlyValueOf(local)?.WithoutConversions() as IObjectCreationOperation)?.Arguments.FirstOrDefault()?.Value);
    }

    private static bool AsksForToken(IInvocationOperation invocation) => invocation.Function().Descendants().Any(operation =>
        operation is ILiteralOperation { ConstantValue: { HasValue: true, Value: string text } } && text.StartsWith("grant_type", StringComparison.Ordinal));

    private static string? Verb(IEnumerable<IArgumentOperation> arguments) => arguments.Select(argument => SqlText.Verb(argument.Value)).FirstOrDefault(verb => verb is not null);

    private static string Synchronous(string name) => name.EndsWith("Async", StringComparison.Ordinal) ? name.Substring(0, name.Length - "Async".Length) : name;

    private static bool IsIn(INamedTypeSymbol type, string @namespace) => type.ContainingNamespace.ToDisplayString() == @namespace;

    /// <summary>Whether the method, one that it overrides, or one that it implements has the attribute.</summary>
    private static bool IsMarked(IMethodSymbol method)
    {
        for (var current = method.OriginalDefinition; current is not null; current = current.OverriddenMethod?.OriginalDefinition)
        {
            if (HasAttribute(current)) return true;
        }

        return method.ContainingType is { TypeKind: TypeKind.Class or TypeKind.Struct } type && type.AllInterfaces
            .SelectMany(contract => contract.GetMembers(method.Name))
            .Any(member => HasAttribute(member.OriginalDefinition) && SymbolEqualityComparer.Default.Equals(type.FindImplementationForInterfaceMember(member)?.OriginalDefinition, method.OriginalDefinition));
    }

    private static bool HasAttribute(ISymbol method) => method.GetAttributes().Any(attribute => attribute.AttributeClass.Is("RequestCoalescing", "SideEffectsAttribute"));
}
