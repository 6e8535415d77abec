using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.UnstableKey;

/// <summary>Finds keys, or parts of keys, of which two with the same content are not equal.</summary>
internal static class KeyEquality
{
    /// <summary>The type without equality. Null if the key is fine, or nothing certain is known about it.</summary>
    public static ITypeSymbol? ProblemOf(CoalescedCall call)
    {
        var type = call.KeyType is { SpecialType: SpecialType.System_Object } ? call.Key.WithoutConversions().Type : call.KeyType;
        return IsShared(call.Key) ? null : Problem(type, call, depth: 0);
    }

    public static bool IsFloating(ITypeSymbol type) => type.SpecialType is SpecialType.System_Single or SpecialType.System_Double || type.Is("System", "Half");

    /// <summary>Whether the engine is made with a comparer of its own, where the source shows it.</summary>
    public static bool HasComparer(CoalescedCall call)
    {
        var engine = call.Receiver?.WithoutConversions() switch
        {
            IFieldReferenceOperation field => field.Field,
            IPropertyReferenceOperation property => property.Property,
            ILocalReferenceOperation local => local.Local,
            _ => default(ISymbol),
        };
        return engine is not null && engine.DeclaringSyntaxReferences
            .SelectMany(declaration => declaration.GetSyntax().DescendantNodes().OfType<BaseObjectCreationExpressionSyntax>())
            .Any(creation => creation.ArgumentList is { Arguments: var arguments } && (arguments.Count > 1 || arguments.Any(argument => argument.NameColon?.Name.Identifier.ValueText == "comparer")));
    }

    private static ITypeSymbol? Problem(ITypeSymbol? type, CoalescedCall call, int depth)
    {
        if (type is null || depth > 4) return null;
        if (IsFloating(type) || type is IArrayTypeSymbol || IsCollection(type)) return type;
        if (type is not INamedTypeSymbol named) return null;
        if (named.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T) return Problem(named.TypeArguments[0], call, depth + 1);
        if (named.IsTupleType) return named.TupleElements.Select(element => Problem(element.Type, call, depth + 1)).FirstOrDefault(problem => problem is not null);
        if (named.IsReferenceType && !IsMadeForCall(named, call)) return null;
        if (named.IsRecord && !OverridesEquality(named))
        {
            return named.GetMembers().OfType<IPropertySymbol>()
                .Where(property => !property.IsStatic && !property.IsImplicitlyDeclared)
                .Select(property => Problem(property.Type, call, depth + 1))
                .FirstOrDefault(problem => problem is not null);
        }

        return IsPlainClass(named) ? named : null;
    }

    /// <summary>Whether each caller makes its own object of a class. Objects with other tasks than to carry data live longer, and callers can share them.</summary>
    private static bool IsMadeForCall(INamedTypeSymbol type, CoalescedCall call) => type.IsData() || type.IsRequest() ||
        KeyOperations.Of(call).Any(operation => operation is IObjectCreationOperation or IWithOperation && SymbolEqualityComparer.Default.Equals(operation.Type, type));

    /// <summary>A class of which each caller can make its own object. A class of services compares as it should.</summary>
    private static bool IsPlainClass(INamedTypeSymbol type)
    {
        if (type.TypeKind != TypeKind.Class || type.IsRecord || type.IsAbstract || type.IsAnonymousType || type.DeclaringSyntaxReferences.IsEmpty) return false;
        for (var current = type; current is { SpecialType: not SpecialType.System_Object }; current = current.BaseType)
        {
            if (OverridesEquality(current) || current.DeclaringSyntaxReferences.IsEmpty) return false;
        }

        return type.GetMembers().OfType<IPropertySymbol>().Any(property => !property.IsStatic && property.DeclaredAccessibility == Accessibility.Public);
    }

    private static bool IsCollection(ITypeSymbol type) =>
        type.ContainingNamespace?.ToDisplayString() is "System.Collections.Generic" or "System.Collections.Immutable" or "System.Collections.ObjectModel" or "System.Collections.Frozen" &&
        type.Implements("System.Collections", "IEnumerable") && !type.Is("System.Collections.Immutable", "ImmutableArray`1");

    private static bool OverridesEquality(INamedTypeSymbol type) =>
        type.GetMembers("Equals").OfType<IMethodSymbol>().Any(method => !method.IsImplicitlyDeclared && !method.IsStatic && method.Parameters.Length == 1);

    /// <summary>An object that all callers get from the same place is equal to itself.</summary>
    private static bool IsShared(IOperation key) => key.WithoutConversions() is IFieldReferenceOperation or IPropertyReferenceOperation { Instance: null or IInstanceReferenceOperation } or ITypeOfOperation;
}
