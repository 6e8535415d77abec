using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ConcatenatedKey;

/// <summary>Decides whether different parts can make the same text.</summary>
internal static class KeyText
{
    /// <summary>The parts of a text: constants and values. Null if the text is not put together from parts.</summary>
    public static IReadOnlyList<IOperation>? PartsOf(IOperation key) => key switch
    {
        { ConstantValue.HasValue: true } => null,
        IInterpolatedStringOperation text => [.. text.Parts.Select(PartOf)],
        IBinaryOperation { OperatorKind: BinaryOperatorKind.Add, Type.SpecialType: SpecialType.System_String } sum => [.. Flatten(sum)],
        IInvocationOperation { TargetMethod: { Name: "Concat", ContainingType.SpecialType: SpecialType.System_String } } call => [.. call.Arguments.SelectMany(argument => Elements(argument.Value))],
        _ => null,
    };

    /// <summary>
    /// Texts can collide if two parts of any length have no separator between them, or one that they can contain themselves. The last part may
    /// contain it, because all before it have been told apart by then.
    /// </summary>
    public static bool CanCollide(IReadOnlyList<IOperation> parts)
    {
        var values = Enumerable.Range(0, parts.Count).Where(index => !parts[index].ConstantValue.HasValue).ToList();
        for (var number = 0; number + 1 < values.Count; number++)
        {
            var (current, next) = (values[number], values[number + 1]);
            var separator = string.Concat(parts.Skip(current + 1).Take(next - current - 1).Select(part => part.ConstantValue.Value?.ToString()));
            if (!IsKnown(parts[current])) return true;
            if (separator.Length == 0 && !IsFixed(parts[current])) return true;
            if (separator.Length > 0 && !Excludes(parts[current], separator[0])) return true;
        }

        return false;
    }

    private static IOperation PartOf(IInterpolatedStringContentOperation content) => content switch
    {
        IInterpolatedStringTextOperation text => text.Text,
        IInterpolationOperation hole => hole.Expression.WithoutConversions(),
        _ => content,
    };

    private static IEnumerable<IOperation> Flatten(IOperation operation) =>
        operation.WithoutConversions() is IBinaryOperation { OperatorKind: BinaryOperatorKind.Add, Type.SpecialType: SpecialType.System_String, ConstantValue.HasValue: false } sum
            ? Flatten(sum.LeftOperand).Concat(Flatten(sum.RightOperand))
            : [operation.WithoutConversions()];

    private static IEnumerable<IOperation> Elements(IOperation argument) =>
        argument.WithoutConversions() is IArrayCreationOperation { Initializer: { } elements } ? elements.ElementValues.Select(element => element.WithoutConversions()) : [argument.WithoutConversions()];

    /// <summary>Numbers, dates, enums and ids have a text that is known to lack most separators.</summary>
    private static bool IsKnown(IOperation part) => IsNumber(part.Type) || IsDate(part.Type) || part.Type is { TypeKind: TypeKind.Enum } || IsFixed(part);

    private static bool IsFixed(IOperation part) => part.Type is { SpecialType: SpecialType.System_Char } || part.Type.Is("System", "Guid");

    private static bool Excludes(IOperation part, char separator) =>
        IsFixed(part) || !(char.IsLetterOrDigit(separator) || separator is '-' or '+' or '.' || (separator is ':' or '/' or ' ' && IsDate(part.Type)) || (separator is ',' or ' ' or '_' && part.Type is { TypeKind: TypeKind.Enum }));

    private static bool IsDate(ITypeSymbol? type) => type is { SpecialType: SpecialType.System_DateTime } || type.Is("System", "DateTimeOffset") ||
        type.Is("System", "DateOnly") || type.Is("System", "TimeOnly") || type.Is("System", "TimeSpan");

    private static bool IsNumber(ITypeSymbol? type) => type switch
    {
        { SpecialType: SpecialType.System_Boolean or (>= SpecialType.System_SByte and <= SpecialType.System_Decimal) } => true,
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => IsNumber(nullable.TypeArguments[0]),
        _ => false,
    };
}
