using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Flow;

/// <summary>Tells data, which can differ from call to call, from services and settings.</summary>
internal static class DataTypes
{
    private static readonly string[] s_settings = ["Options", "Settings", "Configuration", "Config", "Context", "Services", "Dependencies", "Policy", "Client"];
    private static readonly string[] s_requests = ["Request", "Query", "Filter", "Criteria", "Parameters", "Params", "Input", "Search", "Paging", "Args"];
    private static readonly string[] s_values = ["Guid", "DateTimeOffset", "DateOnly", "TimeOnly", "Uri", "Version", "Half", "Int128", "UInt128", "Range", "Index"];
    private static readonly string[] s_collections = ["System.Collections.Generic", "System.Collections.Immutable", "System.Collections.ObjectModel", "System.Collections.Frozen"];

    /// <summary>Whether values of a type are data: numbers, text, dates, and types of the source that contain nothing else.</summary>
    public static bool IsData(this ITypeSymbol? type, int depth = 0) => depth < 6 && type switch
    {
        { SpecialType: >= SpecialType.System_Boolean and <= SpecialType.System_String or SpecialType.System_DateTime } => true,
        { TypeKind: TypeKind.Enum } => true,
        IArrayTypeSymbol array => array.ElementType.IsData(depth + 1),
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => nullable.TypeArguments[0].IsData(depth + 1),
        INamedTypeSymbol { IsTupleType: true } tuple => tuple.TupleElements.All(element => element.Type.IsData(depth + 1)),
        INamedTypeSymbol named => IsKnownValue(named) || IsCollection(named, depth) || (IsOfSource(named) && HasOnlyData(named, depth)),
        _ => false,
    };

    /// <summary>Whether members of a value are no inputs of their own: the length of a text, the count of a list.</summary>
    public static bool IsIndivisible(this ITypeSymbol? type) => type switch
    {
        { SpecialType: not SpecialType.None } or IArrayTypeSymbol => true,
        INamedTypeSymbol named => IsKnownValue(named) || IsCollection(named, depth: 0),
        _ => false,
    };

    /// <summary>Whether the members of a type are independent of each other, so that one of them does not stand for the rest.</summary>
    public static bool IsRequest(this ITypeSymbol? type) => type is INamedTypeSymbol named &&
        (named.IsTupleType || s_requests.Any(suffix => named.Name.EndsWith(suffix, StringComparison.Ordinal)) ||
         named.Is("Microsoft.AspNetCore.Http", "HttpContext") || named.Is("Microsoft.AspNetCore.Http", "IHttpContextAccessor"));

    private static bool IsKnownValue(INamedTypeSymbol type) =>
        (type.ContainingNamespace?.ToDisplayString() == "System" && s_values.Contains(type.Name)) || type.Is("System.Numerics", "BigInteger") ||
        type.Is("Microsoft.Extensions.Primitives", "StringValues");

    private static bool IsCollection(INamedTypeSymbol type, int depth) =>
        !type.TypeArguments.IsEmpty && s_collections.Contains(type.ContainingNamespace?.ToDisplayString()) && type.TypeArguments.All(argument => argument.IsData(depth + 1));

    private static bool IsOfSource(INamedTypeSymbol type) =>
        !type.IsAbstract && !type.DeclaringSyntaxReferences.IsEmpty &&
        !s_settings.Any(suffix => type.Name.EndsWith(suffix, StringComparison.Ordinal));

    /// <summary>A record, a struct, or a class that has properties and no behaviour, with nothing but data in it.</summary>
    private static bool HasOnlyData(INamedTypeSymbol type, int depth)
    {
        var fields = type.GetMembers().OfType<IFieldSymbol>().Where(field => !field.IsStatic).ToList();
        if (fields.Count == 0 || !fields.All(field => field.Type.IsData(depth + 1))) return false;
        if (type.IsRecord || type.IsValueType) return true;
        return type.BaseType?.SpecialType == SpecialType.System_Object && type.Interfaces.IsEmpty &&
            type.GetMembers().OfType<IPropertySymbol>().Any(property => property.DeclaredAccessibility == Accessibility.Public) &&
            !type.GetMembers().OfType<IMethodSymbol>().Any(method => method.MethodKind == MethodKind.Ordinary);
    }
}
