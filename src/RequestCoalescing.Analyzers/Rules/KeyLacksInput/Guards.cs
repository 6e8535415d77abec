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
            var pins = parent switch
            {
                IConditionalOperation conditional => current != conditional.Condition && Pins(conditional.Condition, current == conditional.WhenTrue, variable),
                ISwitchCaseOperation { Parent: ISwitchOperation choice } section => Reads(choice.Value, variable) && !section.Clauses.Any(clause => clause is IDefaultCaseClauseOperation),
                ISwitchExpressionArmOperation { Pattern: not IDiscardPatternOperation, Parent: ISwitchExpressionOperation choice } => Reads(choice.Value, variable),
                IBlockOperation block => block.Operations.TakeWhile(statement => statement != current).Any(statement => Leaves(statement, variable)),
                _ => false,
            };
            if (pins) return true;
        }

        return false;
    }

    private static bool Leaves(IOperation statement, ISymbol variable) => statement is IConditionalOperation conditional && Pins(conditional.Condition, holds: false, variable) &&
        conditional.WhenTrue.DescendantsAndSelf().Any(operation => operation is IReturnOperation or IThrowOperation or IBranchOperation);

    /// <summary>Whether the variable has one value where a condition holds, or where it does not: it is equal to a constant, or is the condition.</summary>
    private static bool Pins(IOperation condition, bool holds, ISymbol variable) => condition switch
    {
        IUnaryOperation { OperatorKind: UnaryOperatorKind.Not } not => Pins(not.Operand, !holds, variable),
        IBinaryOperation { OperatorKind: var kind } both when kind == (holds ? BinaryOperatorKind.ConditionalAnd : BinaryOperatorKind.ConditionalOr) =>
            Pins(both.LeftOperand, holds, variable) || Pins(both.RightOperand, holds, variable),
        IBinaryOperation { OperatorKind: var kind } comparison when kind == (holds ? BinaryOperatorKind.Equals : BinaryOperatorKind.NotEquals) =>
            (Reads(comparison.LeftOperand, variable) && IsValue(comparison.RightOperand)) || (Reads(comparison.RightOperand, variable) && IsValue(comparison.LeftOperand)),
        IIsPatternOperation { Pattern: INegatedPatternOperation { Pattern: IConstantPatternOperation } } match => !holds && Reads(match.Value, variable),
        IIsPatternOperation { Pattern: IConstantPatternOperation } match => holds && Reads(match.Value, variable),
        IInvocationOperation { TargetMethod.Name: "IsNullOrEmpty" or "IsNullOrWhiteSpace" or "Equals" } test =>
            holds && test.ChildOperations.Any(child => Reads(child is IArgumentOperation argument ? argument.Value : child, variable)),
        _ => Reads(condition, variable),
    };

    private static bool Reads(IOperation operation, ISymbol variable) => Input.Of(operation.WithoutConversions()) is { } input && input.HasRoot(variable);

    private static bool IsValue(IOperation operation) => operation.WithoutConversions().ConstantValue.HasValue;
}
