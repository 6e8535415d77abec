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
    /// Texts can collide if two values cannot be told apart. A value is read from the left if it lacks the separator after it, and from the right if it lacks
    /// the one before it. One value, of any content, may remain.
    /// </summary>
    public static bool CanCollide(IReadOnlyList<IOperation> parts)
    {
        var values = Enumerable.Range(0, parts.Count).Where(index => !parts[index].ConstantValue.HasValue).ToList();
        var separators = values.Skip(1).Zip(values, (next, value) => string.Concat(parts.Skip(value + 1).Take(next - value - 1).Select(part => part.ConstantValue.Value?.ToString()))).ToList();
        var (first, last) = (0, values.Count - 1);
        while (first < last && CanBeRead(parts[values[first]], separators[first].FirstOrDefault())) first++;
        while (first < last && CanBeRead(parts[values[last]], separators[last - 1].LastOrDefault())) last--;
        return first < last;
    }

    private static bool CanBeRead(IOperation part, char separator) => IsFixed(part) || (separator != default && IsKnown(part) && Excludes(part, separator));

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
    private static bool IsKnown(IOperation part) => IsNumber(part.Type) || IsDate(part.Type) || part.Type is { TypeKind: TypeKind.Enum };

    private static bool IsFixed(IOperation part) => part.Type is { SpecialType: SpecialType.System_Char } || part.Type.Is("System", "Guid");

    private static bool Excludes(IOperation part, char separator) =>
        !(char.IsLetterOrDigit(separator) || separator is '-' or '+' or '.' || (separator is ':' or '/' or ' ' && IsDate(part.Type)) || (separator is ',' or ' ' or '_' && part.Type is { TypeKind: TypeKind.Enum }));

    private static bool IsDate(ITypeSymbol? type) => type is { SpecialType: SpecialType.System_DateTime } || type.Is("System", "DateTimeOffset") ||
        type.Is("System", "DateOnly") || type.Is("System", "TimeOnly") || type.Is("System", "TimeSpan");

    private static bool IsNumber(ITypeSymbol? type) => type switch
    {
        { SpecialType: SpecialType.System_Boolean or (>= SpecialType.System_SByte and <= SpecialType.System_Decimal) } => true,
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => IsNumber(nullable.TypeArguments[0]),
        _ => false,
    };
}
