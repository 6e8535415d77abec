using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Questions about a tree of operations.</summary>
internal static class OperationExtensions
{
    public static IOperation WithoutConversions(this IOperation operation)
    {
        while (operation is IConversionOperation { OperatorMethod: null } conversion) operation = conversion.Operand;
        return operation;
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

    /// <summary>All values that a method gives to a local or parameter, in any branch.</summary>
    public static IEnumerable<IOperation> ValuesOf(this IOperation anywhere, ISymbol symbol) => anywhere.Root().DescendantsAndSelf()
        .Select(operation => operation switch
        {
            IVariableDeclaratorOperation declarator when Same(declarator.Symbol, symbol) => declarator.GetVariableInitializer()?.Value,
            ISimpleAssignmentOperation assignment when Same(assignment.Target.Variable(), symbol) => assignment.Value,
            _ => null,
        })
        .OfType<IOperation>();

    /// <summary>The parameter or local that an operation refers to.</summary>
    public static ISymbol? Variable(this IOperation operation) => operation switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        _ => null,
    };

    /// <summary>Whether only the name of a reference is used.</summary>
    public static bool IsNamed(this IOperation reference)
    {
        for (var current = reference.Parent; current is not null; current = current.Parent)
        {
            if (current is INameOfOperation) return true;
            if (current is IBlockOperation) return false;
        }

        return false;
    }

    /// <summary>Whether a call writes a log, a trace or a metric, and so has no part in a result.</summary>
    public static bool IsLogging(this IInvocationOperation invocation)
    {
        var method = invocation.TargetMethod;
        return method.ContainingNamespace?.ToDisplayString() is "Microsoft.Extensions.Logging" or "System.Diagnostics" or "System.Diagnostics.Metrics" ||
            method.ContainingType.Is("System", "Console") ||
            method.GetAttributes().Any(attribute => attribute.AttributeClass.Is("Microsoft.Extensions.Logging", "LoggerMessageAttribute"));
    }

    /// <summary>Whether a value goes nowhere but into a log.</summary>
    public static bool IsLogged(this IOperation reference)
    {
        for (var current = reference.Parent; current is not null and not IBlockOperation and not IAnonymousFunctionOperation; current = current.Parent)
        {
            if (current is IInvocationOperation invocation && invocation.IsLogging()) return true;
        }

        return false;
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

    private static bool Same(ISymbol? one, ISymbol? other) => SymbolEqualityComparer.Default.Equals(one, other);
}
