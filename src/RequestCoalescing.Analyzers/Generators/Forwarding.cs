using Microsoft.CodeAnalysis;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Writes the members of a class that pass calls on to the object behind it.</summary>
internal static class Forwarding
{
    /// <summary>The declaration of a member of the interface or of one of its bases, or null if the member needs none or cannot be passed on.</summary>
    public static string? Of(ISymbol member, INamedTypeSymbol root)
    {
        var face = member.ContainingType.Full();
        var inner = SymbolEqualityComparer.Default.Equals(member.ContainingType, root) ? "this._inner" : $"(({face})this._inner)";
        switch (member)
        {
            case IMethodSymbol { MethodKind: MethodKind.Ordinary } method:
                var arguments = string.Join(", ", method.Parameters.Select(Argument));
                var types = method.IsGenericMethod ? $"<{string.Join(", ", method.TypeParameters.Select(parameter => Symbols.Escaped(parameter.Name)))}>" : "";
                var name = Symbols.Escaped(method.Name) + types;
                return $"{Ref(method.RefKind)}{method.ReturnType.Full()} {face}.{name}({Parameters(method.Parameters)}){Constraints(method)} => {Expression(method.RefKind)}{inner}.{name}({arguments});";
            case IEventSymbol raised:
                return $"event {raised.Type.Full()} {face}.{Symbols.Escaped(raised.Name)} {{ add => {inner}.{Symbols.Escaped(raised.Name)} += value; remove => {inner}.{Symbols.Escaped(raised.Name)} -= value; }}";
            case IPropertySymbol { SetMethod: not { IsInitOnly: true } } property:
                var (left, right) = property.IsIndexer
                    ? ($"this[{Parameters(property.Parameters)}]", $"{inner}[{string.Join(", ", property.Parameters.Select(Argument))}]")
                    : (Symbols.Escaped(property.Name), $"{inner}.{Symbols.Escaped(property.Name)}");
                var get = property.GetMethod is null ? "" : $" get => {Expression(property.RefKind)}{right};";
                var set = property.SetMethod is null ? "" : $" set => {right} = value;";
                return $"{Ref(property.RefKind)}{property.Type.Full()} {face}.{left} {{{get}{set} }}";
            default:
                return null;
        }
    }

    private static string Parameters(IEnumerable<IParameterSymbol> parameters) => string.Join(", ", parameters.Select(parameter =>
        $"{(parameter.ScopedKind == ScopedKind.ScopedValue ? "scoped " : "")}{Kind(parameter.RefKind)}{parameter.Type.Full()} {Symbols.Escaped(parameter.Name)}"));

    private static string Argument(IParameterSymbol parameter) => parameter.RefKind switch
    {
        RefKind.Ref => "ref ",
        RefKind.Out => "out ",
        RefKind.In or RefKind.RefReadOnlyParameter => "in ",
        _ => "",
    } + Symbols.Escaped(parameter.Name);

    private static string Kind(RefKind kind) => kind switch
    {
        RefKind.Ref => "ref ",
        RefKind.Out => "out ",
        RefKind.In => "in ",
        RefKind.RefReadOnlyParameter => "ref readonly ",
        _ => "",
    };

    private static string Ref(RefKind kind) => kind switch { RefKind.Ref => "ref ", RefKind.RefReadOnly => "ref readonly ", _ => "" };

    private static string Expression(RefKind kind) => kind == RefKind.None ? "" : "ref ";

    // An explicit implementation inherits the constraints. It must repeat only whether T? is a Nullable<T>.
    private static string Constraints(IMethodSymbol method) => string.Concat(method.TypeParameters
        .Where(parameter => method.Parameters.Select(candidate => candidate.Type).Append(method.ReturnType).Any(type => UsesNullable(type, parameter)))
        .Select(parameter => $" where {Symbols.Escaped(parameter.Name)} : {(parameter.IsValueType ? "struct" : parameter.IsReferenceType ? "class" : "default")}"));

    private static bool UsesNullable(ITypeSymbol type, ITypeParameterSymbol parameter) => type switch
    {
        IArrayTypeSymbol array => UsesNullable(array.ElementType, parameter),
        INamedTypeSymbol named => named.TypeArguments.Any(argument => UsesNullable(argument, parameter)),
        _ => type.NullableAnnotation == NullableAnnotation.Annotated && SymbolEqualityComparer.Default.Equals(type, parameter),
    };
}
