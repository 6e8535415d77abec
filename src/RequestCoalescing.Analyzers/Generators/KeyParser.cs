using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Reads the declarations of keys.</summary>
internal static class KeyParser
{
    private static readonly HashSet<string> s_plain =
    [
        "System.Int128", "System.UInt128", "System.Half", "System.Guid", "System.DateOnly", "System.TimeOnly", "System.TimeSpan", "System.Numerics.BigInteger",
    ];

    /// <summary>Returns the key, or null if the declaration has an error.</summary>
    public static DeclaredKey? Parse(INamedTypeSymbol type, Findings findings)
    {
        var text = type.Find(Symbols.KeyAttribute)?.Text("Name") ?? type.Name;
        CheckName(text, type, findings);
        if (!type.IsRecord)
        {
            findings.Add(Rules.KeyDeclaration, type, type.Name, "it is not a record struct.");
            return null;
        }

        var place = Symbols.PlaceOf(type.ContainingType, type.ContainingNamespace, out var problem);
        if (!type.IsPartial()) problem = "it is not partial.";
        if (type.IsFileLocal) problem = "it is visible in its file only, where no code can be generated.";
        if (type.IsGenericType) problem = "it is generic, or within a generic type. Keys of different types would have the same text.";
        if (problem is not null) findings.Add(Rules.KeyDeclaration, type, type.Name, problem);
        CheckMembers(type, findings);

        var parts = ImmutableArray.CreateBuilder<KeyPart>();
        var parameters = PrimaryParameters(type);
        if (parameters.IsDefaultOrEmpty && problem is null) findings.Add(Rules.KeyDeclaration, type, type.Name, $"it has no parts. Declare them as parameters: record struct {type.Name}(string Id).");
        foreach (var parameter in parameters.IsDefault ? [] : parameters)
        {
            if (!HasStateFor(type, parameter)) findings.Add(Rules.KeyMember, parameter, type.Name, $"computes '{parameter.Name}', so that it is not a part. Keep it as the record declares it, or give the property an initializer.");
            if (PartOf(Symbols.Escaped(parameter.Name), parameter.Type) is { } part) parts.Add(part);
            else if (parameter.Type.TypeKind != TypeKind.Error) findings.Add(Rules.PartType, parameter, parameter.Name, parameter.Type.Short(), AdviceFor(parameter.Type));
            else return null; // the compiler reports it
        }

        return findings.HasErrors ? null : new DeclaredKey(type.File(), place, new KeyModel(Symbols.Escaped(type.Name), text, new(parts.ToImmutable())));
    }

    /// <summary>Returns how a part of this type is written and compared, or null if the type has no text.</summary>
    public static KeyPart? PartOf(string name, ITypeSymbol type)
    {
        var isNullable = type.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T;
        var value = isNullable ? ((INamedTypeSymbol)type).TypeArguments[0] : type;
        PartKind? kind = value switch
        {
            { TypeKind: TypeKind.Enum } => PartKind.Enum,
            { SpecialType: SpecialType.System_DateTime } => PartKind.DateTime,
            { SpecialType: SpecialType.System_String or (>= SpecialType.System_Boolean and <= SpecialType.System_Double) or SpecialType.System_IntPtr or SpecialType.System_UIntPtr } => PartKind.Plain,
            INamedTypeSymbol named when named.Is("System.DateTimeOffset") => PartKind.DateTimeOffset,
            INamedTypeSymbol named when s_plain.Contains(named.Path()) => PartKind.Plain,
            INamedTypeSymbol named when named.Find(Symbols.KeyAttribute) is not null => PartKind.Key,
            _ => null,
        };
        return kind is null ? null : new KeyPart(name, type.Full(), kind.Value, isNullable, (value as INamedTypeSymbol)?.EnumUnderlyingType?.Full() ?? "");
    }

    /// <summary>Advises on a replacement for a type that has no text.</summary>
    public static string AdviceFor(ITypeSymbol type) => type switch
    {
        IArrayTypeSymbol => "Two arrays are never equal. Pass what decides the result: a count, a joined text, or single values.",
        ITypeParameterSymbol => "The texts of a type parameter are not known. Use a type that has a text.",
        { IsRefLikeType: true } or IPointerTypeSymbol or IFunctionPointerTypeSymbol => "It cannot outlive the call. Use a string or a value.",
        { IsValueType: true } or { IsRecord: true } => "Use a string, a number, a date, a Guid, an enum, or a record struct with [CoalescingKey].",
        _ when type.AllInterfaces.Any(face => face.SpecialType == SpecialType.System_Collections_IEnumerable) || type.SpecialType == SpecialType.System_Collections_IEnumerable =>
            "Two collections are never equal. Pass what decides the result: a count, a joined text, or single values.",
        _ => "It has no text that identifies it. Use a string, a number, a date, a Guid, an enum, or a record struct with [CoalescingKey].",
    };

    public static void CheckName(string name, ISymbol symbol, Findings findings)
    {
        if (name.Length == 0 || !name.All(character => char.IsLetterOrDigit(character) || ".-_:/".Contains(character))) findings.Add(Rules.Name, symbol, name);
    }

    /// <summary>The parameters of the record itself, in contrast to those of other constructors.</summary>
    public static ImmutableArray<IParameterSymbol> PrimaryParameters(INamedTypeSymbol type) => type.InstanceConstructors
        .FirstOrDefault(constructor => constructor.DeclaringSyntaxReferences.Any(reference => reference.GetSyntax() is TypeDeclarationSyntax))?.Parameters ?? default;

    private static void CheckMembers(INamedTypeSymbol type, Findings findings)
    {
        var parameters = PrimaryParameters(type);
        foreach (var member in type.GetMembers().Where(member => !member.IsStatic))
        {
            switch (member)
            {
                case IFieldSymbol field:
                    var name = field.AssociatedSymbol?.Name ?? field.Name;
                    if (parameters.IsDefault || parameters.All(parameter => parameter.Name != name)) findings.Add(Rules.KeyMember, field.AssociatedSymbol ?? field, type.Name, $"stores '{name}', which its text would lack. Declare it as a parameter of the record.");
                    break;
                case IMethodSymbol { IsImplicitlyDeclared: false, Name: "Equals", Parameters.Length: 1 } equals when SymbolEqualityComparer.Default.Equals(equals.Parameters[0].Type, type):
                    findings.Add(Rules.KeyMember, equals, type.Name, "writes its own Equals, which its text cannot follow. Remove it, or normalize a part where it is stored.");
                    break;
                case IMethodSymbol { IsImplicitlyDeclared: false, Name: "ToString", Parameters.Length: 0 } text:
                    findings.Add(Rules.KeyMember, text, type.Name, "writes its own ToString, in place of the text that is generated. Remove it.");
                    break;
            }
        }
    }

    // A parameter is a part if the record stores it: in the property that the compiler makes, or in one that the user declares in its place.
    private static bool HasStateFor(INamedTypeSymbol type, IParameterSymbol parameter) => type.GetMembers().OfType<IFieldSymbol>().Any(field =>
        !field.IsStatic && (field.AssociatedSymbol?.Name ?? field.Name) == parameter.Name && !IsComputed(field.AssociatedSymbol));

    // A getter with code can give something else than the field that the record compares.
    private static bool IsComputed(ISymbol? property) => property is IPropertySymbol { GetMethod: { } getter } && getter.DeclaringSyntaxReferences.Any(reference =>
        reference.GetSyntax() is ArrowExpressionClauseSyntax or AccessorDeclarationSyntax { Body: not null } or AccessorDeclarationSyntax { ExpressionBody: not null });
}
