using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Answers the questions that the parsers ask about symbols.</summary>
internal static class Symbols
{
    public const string KeyAttribute = "RequestCoalescing.CoalescingKeyAttribute";
    public const string CoalesceAttribute = "RequestCoalescing.CoalesceAttribute";
    public const string NotInKeyAttribute = "RequestCoalescing.NotInKeyAttribute";

    private static readonly SymbolDisplayFormat s_full =
        SymbolDisplayFormat.FullyQualifiedFormat.AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static readonly SymbolDisplayFormat s_short =
        SymbolDisplayFormat.MinimallyQualifiedFormat.AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    /// <summary>The type as generated code names it.</summary>
    public static string Full(this ITypeSymbol type) => type.ToDisplayString(s_full);

    /// <summary>The type as messages name it.</summary>
    public static string Short(this ITypeSymbol type) => type.ToDisplayString(s_short);

    /// <summary>The name of a type or method with its namespace, without type parameters.</summary>
    public static string Path(this ISymbol symbol)
    {
        var container = (ISymbol?)symbol.ContainingType ?? symbol.ContainingNamespace;
        return container is null or INamespaceSymbol { IsGlobalNamespace: true } ? symbol.Name : $"{container.Path()}.{symbol.Name}";
    }

    /// <summary>The name of the file that is generated for a type or method. Types of one name differ in their number of type parameters.</summary>
    public static string File(this ISymbol symbol) => $"{InFile(symbol)}.g.cs";

    /// <summary>The name with an @ if it is a keyword.</summary>
    public static string Escaped(string name) =>
        SyntaxFacts.GetKeywordKind(name) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(name) != SyntaxKind.None ? "@" + name : name;

    public static AttributeData? Find(this ISymbol symbol, string attribute) =>
        symbol.GetAttributes().FirstOrDefault(data => data.AttributeClass is { } type && type.Is(attribute));

    public static bool Is(this ITypeSymbol type, string name) => type.ContainingType is null && type.Path() == name;

    public static string? Text(this AttributeData attribute, string property) =>
        attribute.NamedArguments.FirstOrDefault(argument => argument.Key == property).Value.Value as string;

    /// <summary>Whether the generators have written the member.</summary>
    public static bool IsGenerated(this ISymbol member) =>
        member.Find("System.CodeDom.Compiler.GeneratedCodeAttribute") is { } attribute &&
        attribute.ConstructorArguments.FirstOrDefault().Value is "RequestCoalescing.Analyzers";

    /// <summary>Whether all declarations have the modifier.</summary>
    public static bool IsPartial(this INamedTypeSymbol type) =>
        type.DeclaringSyntaxReferences.All(reference => reference.GetSyntax() is TypeDeclarationSyntax declaration && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));

    public static bool IsDisposable(this ITypeSymbol type) => type.InterfacesAndSelf().Any(face => face.Is("System.IDisposable") || face.Is("System.IAsyncDisposable"));

    public static IEnumerable<ITypeSymbol> InterfacesAndSelf(this ITypeSymbol type) => type.AllInterfaces.Append(type);

    /// <summary>Whether one reader uses the object up.</summary>
    public static bool IsReadOnce(this ITypeSymbol type)
    {
        if (type.InterfacesAndSelf().Any(face =>
            face.Is("System.Collections.Generic.IAsyncEnumerable") || face.Is("System.Collections.Generic.IAsyncEnumerator") || face.Is("System.Collections.IEnumerator"))) return true;
        for (var level = type; level is not null; level = level.BaseType)
        {
            if (level.Is("System.IO.Stream") || level.Is("System.IO.TextReader") || level.Is("System.IO.Pipelines.PipeReader")) return true;
        }

        return false;
    }

    /// <summary>The members of this name that code in the class can use without a qualifier, those of the class first.</summary>
    public static IEnumerable<ISymbol> Sees(this INamedTypeSymbol type, string name) => type.BasesAndSelf().SelectMany(level => level.GetMembers(name)).Where(member =>
        SymbolEqualityComparer.Default.Equals(member.ContainingType, type) || member.DeclaredAccessibility switch
        {
            Accessibility.Private => false,
            Accessibility.Internal or Accessibility.ProtectedAndInternal => SymbolEqualityComparer.Default.Equals(member.ContainingAssembly, type.ContainingAssembly),
            _ => true,
        });

    public static IEnumerable<INamedTypeSymbol> BasesAndSelf(this INamedTypeSymbol type)
    {
        for (var level = type; level is not null; level = level.BaseType!) yield return level;
    }

    /// <summary>The place of members of a type, or of the type itself; with a reason if no code can be added there.</summary>
    public static Place PlaceOf(INamedTypeSymbol? type, INamespaceSymbol space, out string? problem)
    {
        problem = null;
        var headers = ImmutableArray.CreateBuilder<string>();
        for (var container = type; container is not null; container = container.ContainingType)
        {
            if (container.IsFileLocal) problem = $"'{container.Name}' is visible in its file only, where no code can be generated.";
            else if (!container.IsPartial()) problem = $"'{container.Name}' is not partial.";
            var kind = (container.IsRecord, container.TypeKind) switch
            {
                (true, TypeKind.Struct) => "record struct",
                (true, _) => "record",
                (_, TypeKind.Struct) => "struct",
                (_, TypeKind.Interface) => "interface",
                _ => "class",
            };
            var parameters = container.TypeParameters.Length == 0 ? "" : $"<{string.Join(", ", container.TypeParameters.Select(parameter => Escaped(parameter.Name)))}>";
            headers.Insert(0, $"partial {kind} {Escaped(container.Name)}{parameters}");
        }

        return new Place(space.IsGlobalNamespace ? "" : space.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat.WithGlobalNamespaceStyle(SymbolDisplayGlobalNamespaceStyle.Omitted)), new(headers.ToImmutable()));
    }

    private static string InFile(ISymbol symbol)
    {
        var name = symbol.MetadataName.Replace('`', '-');
        var container = (ISymbol?)symbol.ContainingType ?? symbol.ContainingNamespace;
        return container is null or INamespaceSymbol { IsGlobalNamespace: true } ? name : $"{InFile(container)}.{name}";
    }
}
