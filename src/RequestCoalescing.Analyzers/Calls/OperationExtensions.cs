using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Questions about a tree of operations.</summary>
internal static class OperationExtensions
{
    public static IOperation WithoutConversions(this IOperation operation)
    {
        while (true)
        {
            switch (operation)
            {
                case IConversionOperation { OperatorMethod: null } conversion:
                    operation = conversion.Operand;
                    break;
                case IParenthesizedOperation parenthesized:
                    operation = parenthesized.Operand;
                    break;
                default:
                    return operation;
            }
        }
    }

    /// <summary>The method, initializer or top-level program that an operation is part of.</summary>
    public static IOperation Root(this IOperation operation)
    {
        while (operation.Parent is { } parent) operation = parent;
        return operation;
    }

    public static bool IsIn(this IOperation operation, IOperation ancestor)
    {
        for (var current = operation; current is not null; current = current.Parent)
        {
            if (current == ancestor) return true;
        }

        return false;
    }

    /// <summary>The value of a local that is declared with a value and never set again. Null for other locals.</summary>
    public static IOperation? OnlyValueOf(this IOperation anywhere, ILocalSymbol local)
    {
        var value = default(IOperation);
        foreach (var operation in anywhere.Root().DescendantsAndSelf())
        {
            switch (operation)
            {
                case IVariableDeclaratorOperation declarator when Same(declarator.Symbol, local):
                    value = declarator.GetVariableInitializer()?.Value;
                    break;
                case ILocalReferenceOperation reference when Same(reference.Local, local) && reference.IsWritten():
                    return null;
                default:
                    break;
            }
        }

        return value;
    }

    /// <summary>Whether a reference is the target of an assignment, or passed by writable reference.</summary>
    public static bool IsWritten(this IOperation reference) => reference.Parent switch
    {
        IAssignmentOperation assignment => assignment.Target == reference,
        IIncrementOrDecrementOperation => true,
        IArgumentOperation { Parameter.RefKind: RefKind.Ref or RefKind.Out } => true,
        ITupleOperation tuple => tuple.IsWritten(),
        IDeclarationExpressionOperation => true,
        _ => false,
    };

    /// <summary>Whether the new value replaces the old one unseen. An increment reads the value, too.</summary>
    public static bool IsOnlyWritten(this IOperation reference) => reference.Parent switch
    {
        ISimpleAssignmentOperation assignment => assignment.Target == reference && !assignment.IsRef,
        IDeconstructionAssignmentOperation assignment => assignment.Target == reference,
        IArgumentOperation { Parameter.RefKind: RefKind.Out } => true,
        ITupleOperation tuple => tuple.IsOnlyWritten(),
        IDeclarationExpressionOperation => true,
        _ => false,
    };

    private static bool Same(ISymbol one, ISymbol other) => SymbolEqualityComparer.Default.Equals(one, other);
}
