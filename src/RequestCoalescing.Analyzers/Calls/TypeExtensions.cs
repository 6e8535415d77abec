using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Questions about types.</summary>
internal static class TypeExtensions
{
    public static bool Is(this ITypeSymbol? type, string @namespace, string metadataName) =>
        type is not null && type.OriginalDefinition.MetadataName == metadataName && type.ContainingType is null && type.ContainingNamespace.IsNamed(@namespace);

    /// <summary>Whether the type, or a class that it derives from, has this name.</summary>
    public static bool DerivesFrom(this ITypeSymbol? type, string @namespace, string metadataName)
    {
        for (var current = type; current is not null; current = current.BaseType)
        {
            if (current.Is(@namespace, metadataName)) return true;
        }

        return false;
    }

    /// <summary>Whether the type is this interface, or implements it.</summary>
    public static bool Implements(this ITypeSymbol? type, string @namespace, string metadataName) =>
        type is not null && (type.Is(@namespace, metadataName) || type.AllInterfaces.Any(candidate => candidate.Is(@namespace, metadataName)));

    public static bool IsCancellationToken(this ITypeSymbol? type) => type.Is("System.Threading", "CancellationToken");

    /// <summary>Whether a parameter of this type gives the work its flight's token.</summary>
    public static bool CarriesFlight(this ITypeSymbol? type) => type.IsCancellationToken() || type.Is("RequestCoalescing", "FlightContext");

    /// <summary>Whether a parameter belongs to a type, <c>class Posts(Database database)</c>, and so is the same for all calls of an object.</summary>
    public static bool IsOfPrimaryConstructor(this IParameterSymbol parameter) => parameter.ContainingSymbol is IMethodSymbol { MethodKind: MethodKind.Constructor } constructor &&
        constructor.DeclaringSyntaxReferences.Any(declaration => declaration.GetSyntax() is TypeDeclarationSyntax);

    /// <summary>The result of a task. Null if there is none.</summary>
    public static ITypeSymbol? WithoutTask(this ITypeSymbol? type) => type switch
    {
        null or { SpecialType: SpecialType.System_Void } => null,
        INamedTypeSymbol named when type.Is("System.Threading.Tasks", "Task`1") || type.Is("System.Threading.Tasks", "ValueTask`1") => named.TypeArguments[0],
        _ when type.Is("System.Threading.Tasks", "Task") || type.Is("System.Threading.Tasks", "ValueTask") => null,
        _ => type,
    };

    private static bool IsNamed(this INamespaceSymbol? symbol, string name)
    {
        var end = name.Length;
        for (; symbol is { IsGlobalNamespace: false }; symbol = symbol.ContainingNamespace)
        {
            var start = end - symbol.Name.Length;
            if (start < 0 || string.CompareOrdinal(name, start, symbol.Name, 0, symbol.Name.Length) != 0) return false;
            if (start == 0) return symbol.ContainingNamespace.IsGlobalNamespace;
            if (name[start - 1] != '.') return false;
            end = start - 1;
        }

        return false;
    }
}
