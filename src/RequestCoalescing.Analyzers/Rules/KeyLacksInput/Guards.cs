using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksInput;

/// <summary>Finds conditions that let a call happen for one value of a variable only: <c>if (limit != 10) return …;</c>.</summary>
internal static class Guards
{
    public static bool Pin(IInvocationOperation call, ISymbol variable)
    {
        for (IOperation current = call; current.Parent is { } parent; current = parent)
        {
            if (parent is IConditionalOperation conditional && current != conditional.Condition && Tests(conditional.Condition, variable)) return true;
            if (parent is ISwitchCaseOperation { Parent: ISwitchOperation choice } && Reads(choice.Value, variable)) return true;
            if (parent is ISwitchExpressionArmOperation { Parent: ISwitchExpressionOperation arms } && Reads(arms.Value, variable)) return true;
            if (parent is IBlockOperation block && block.Operations.TakeWhile(statement => statement != current).Any(statement => Leaves(statement, variable))) return true;
        }

        return false;
    }

    private static bool Leaves(IOperation statement, ISymbol variable) => statement is IConditionalOperation conditional && Tests(conditional.Condition, variable) &&
        conditional.WhenTrue.DescendantsAndSelf().Any(operation => operation is IReturnOperation or IThrowOperation or IBranchOperation);

    /// <summary>Whether a condition compares the variable with a constant, or is the variable.</summary>
    private static bool Tests(IOperation condition, ISymbol variable) => condition.DescendantsAndSelf().Any(operation => operation switch
    {
        IBinaryOperation { OperatorKind: BinaryOperatorKind.Equals or BinaryOperatorKind.NotEquals } comparison =>
            (Reads(comparison.LeftOperand, variable) && IsValue(comparison.RightOperand)) || (Reads(comparison.RightOperand, variable) && IsValue(comparison.LeftOperand)),
        IIsPatternOperation match => Reads(match.Value, variable) && match.Pattern.DescendantsAndSelf().Any(pattern => pattern is IConstantPatternOperation constant && IsValue(constant.Value)),
        IInvocationOperation { TargetMethod.Name: "IsNullOrEmpty" or "IsNullOrWhiteSpace" or "Equals" } test => test.Arguments.Any(argument => Reads(argument.Value, variable)),
        _ => operation.Type?.SpecialType == SpecialType.System_Boolean && operation.Parent is not IBinaryOperation { OperatorKind: BinaryOperatorKind.Equals or BinaryOperatorKind.NotEquals } && Reads(operation, variable),
    });

    private static bool Reads(IOperation operation, ISymbol variable) => Input.Of(operation.WithoutConversions()) is { } input && input.HasRoot(variable);

    private static bool IsValue(IOperation operation) => operation.WithoutConversions() is var value && value.ConstantValue is { HasValue: true, Value: not null };
}
