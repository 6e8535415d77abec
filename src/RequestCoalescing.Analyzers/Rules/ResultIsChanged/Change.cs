using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ResultIsChanged;

/// <summary>Finds the operations that change an object through a reference to it: itself, its members, or its elements.</summary>
internal static class Change
{
    private const int Depth = 6;

    private static readonly HashSet<string> s_methods =
    [
        "Add", "AddFirst", "AddLast", "AddRange", "Append", "AppendFormat", "AppendLine", "Clear", "Dequeue", "Enqueue", "ExceptWith", "Insert", "InsertRange", "IntersectWith",
        "Pop", "Push", "Remove", "RemoveAll", "RemoveAt", "RemoveFirst", "RemoveLast", "RemoveRange", "RemoveWhere", "Reverse", "Sort", "SymmetricExceptWith", "TryAdd",
        "TryDequeue", "TryPop", "UnionWith",
    ];

    /// <summary>The changes that are made through one reference to a shared object.</summary>
    public static IEnumerable<IOperation> Through(IOperation reference, int depth = Depth)
    {
        var use = reference.WithConversions();
        if (depth == 0 || reference.Type is not { IsReferenceType: true }) return [];
        return use.Parent switch
        {
            IInvocationOperation call when call.Instance == use => IsChange(call.TargetMethod) ? [call] : [],
            IArgumentOperation { Parameter.Ordinal: 0, Parent: IInvocationOperation call } when IsChangeOfArray(call.TargetMethod) => [call],
            IPropertyReferenceOperation { Property: var property } member when member.Instance == use => ThroughPart(member, property.IsIndexer ? IsCollection(reference.Type) : IsStored(property), depth),
            IFieldReferenceOperation member when member.Instance == use => ThroughPart(member, isStored: true, depth),
            IArrayElementReferenceOperation element when element.ArrayReference == use => ThroughPart(element, isStored: true, depth),
            IConditionalAccessOperation access when access.Operation == use =>
                access.WhenNotNull.DescendantsAndSelf().OfType<IConditionalAccessInstanceOperation>().Take(1).SelectMany(instance => Through(instance, depth - 1)),
            IForEachLoopOperation { Locals.Length: 1 } loop when loop.Collection == use && IsCollection(reference.Type) =>
                loop.ReferencesTo(loop.Locals[0]).SelectMany(element => Through(element, depth - 1)),
            _ => [],
        };
    }

    private static IEnumerable<IOperation> ThroughPart(IOperation part, bool isStored, int depth) =>
        part.IsWritten() ? [part.Parent!] : isStored ? Through(part, depth - 1) : [];

    private static bool IsChange(IMethodSymbol method) => s_methods.Contains(method.Name) && method.ContainingType is { } type &&
        (IsCollection(type) || type.Is("System.Text", "StringBuilder"));

    private static bool IsChangeOfArray(IMethodSymbol method) =>
        method.ContainingType.SpecialType == SpecialType.System_Array && method.Name is "Sort" or "Reverse" or "Fill" or "Clear";

    /// <summary>A collection of the framework that keeps its elements. A lazy sequence may create them anew each time.</summary>
    private static bool IsCollection(ITypeSymbol type) => type is IArrayTypeSymbol ||
        (type.ContainingNamespace?.ToDisplayString() is "System.Collections.Generic" or "System.Collections" or "System.Collections.ObjectModel" && type.Name is not ("IEnumerable" or "IAsyncEnumerable"));

    /// <summary>Whether a property returns a stored object, and does not make one for each caller. Only the source shows it.</summary>
    private static bool IsStored(IPropertySymbol property) =>
        property.ContainingType.OriginalDefinition.GetMembers()
            .OfType<IFieldSymbol>()
            .Any(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property.OriginalDefinition));
}
