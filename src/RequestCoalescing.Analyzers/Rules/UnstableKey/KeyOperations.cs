using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.UnstableKey;

/// <summary>Lists the operations that a key certainly contains: its own parts, and the values of locals that are set once.</summary>
internal static class KeyOperations
{
    private static readonly Regex s_format = new(@"\{\d+[^}]*:", RegexOptions.CultureInvariant);

    public static IEnumerable<IOperation> Of(CoalescedCall call) => Of(call.Key, depth: 0);

    private static IEnumerable<IOperation> Of(IOperation value, int depth)
    {
        value = value.WithoutConversions();
        yield return value;
        var parts = value switch
        {
            ILocalReferenceOperation { Local: var local } when depth < 8 && value.OnlyValueOf(local) is { } only => [only],
            ITupleOperation tuple => tuple.Elements,
            IInterpolatedStringOperation text => text.Parts.Select(HoleOf).OfType<IOperation>(),
            IInterpolatedStringHandlerCreationOperation handler => [handler.Content],
            IBinaryOperation { OperatorKind: BinaryOperatorKind.Add, Type.SpecialType: SpecialType.System_String } sum => [sum.LeftOperand, sum.RightOperand],
            IObjectCreationOperation creation when creation.Type is { IsRecord: true } => creation.Arguments.Select(argument => argument.Value),
            IAnonymousObjectCreationOperation creation => creation.Initializers.OfType<IAssignmentOperation>().Select(assignment => assignment.Value),
            IInvocationOperation { TargetMethod: { ContainingType.SpecialType: SpecialType.System_String, Name: "Concat" or "Join" or "Format" } } call when !call.Arguments.Any(IsFormat) => call.Arguments.Select(argument => argument.Value),
            IInvocationOperation { TargetMethod.Name: "ToString", Instance: { } instance, Arguments.IsEmpty: true } => [instance],
            IArrayCreationOperation { Initializer: { } elements } => elements.ElementValues,
            _ => Enumerable.Empty<IOperation>(),
        };
        foreach (var part in parts.SelectMany(part => Of(part, depth + 1))) yield return part;
    }

    /// <summary>Whether an argument is a text that formats a value: <c>{0:yyyy}</c>.</summary>
    private static bool IsFormat(IArgumentOperation argument) => argument.Value.ConstantValue is { HasValue: true, Value: string text } && s_format.IsMatch(text);

    /// <summary>The value in <c>{value}</c>. A format can leave out the part that differs, as the time of a date, unless it is one for a whole moment.</summary>
    private static IOperation? HoleOf(IInterpolatedStringContentOperation content) => content switch
    {
        IInterpolationOperation { FormatString: null or { ConstantValue.Value: "O" or "o" or "s" or "u" or "R" } } hole => hole.Expression,
        IInterpolatedStringAppendOperation { AppendCall: IInvocationOperation { Arguments.Length: 1 } append } => append.Arguments[0].Value,
        _ => null,
    };
}
