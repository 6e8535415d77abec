using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>Finds the function, the call and the name around an operation.</summary>
internal static class OperationPlaces
{
    /// <summary>The lambda, the local function, or else the whole method that an operation is part of.</summary>
    public static IOperation Function(this IOperation operation)
    {
        var current = operation;
        while (current.Parent is { } parent)
        {
            current = parent;
            if (current is IAnonymousFunctionOperation or ILocalFunctionOperation) break;
        }

        return current;
    }

    /// <summary>The operation with the conversions around it. Operations of C# have no parentheses.</summary>
    public static IOperation WithConversions(this IOperation operation)
    {
        while (operation.Parent is IConversionOperation { OperatorMethod: null }) operation = operation.Parent;
        return operation;
    }

    /// <summary>The call that is made on a value, as an instance method or as an extension method. Null if the value has another use.</summary>
    public static IInvocationOperation? CallOn(this IOperation value) => value.WithConversions() switch
    {
        { Parent: IInvocationOperation invocation } receiver when invocation.Instance == receiver => invocation,
        { Parent: IArgumentOperation { Parameter.Ordinal: 0, Parent: IInvocationOperation { TargetMethod.IsExtensionMethod: true } invocation } } => invocation,
        _ => null,
    };

    /// <summary>The references to a local in the whole method, with those in its lambdas.</summary>
    public static IEnumerable<ILocalReferenceOperation> ReferencesTo(this IOperation anywhere, ILocalSymbol local) => anywhere.Root()
        .DescendantsAndSelf()
        .OfType<ILocalReferenceOperation>()
        .Where(reference => SymbolEqualityComparer.Default.Equals(reference.Local, local));

    /// <summary>Whether a call is awaited or returned at once, so that nothing happens between its start and its end.</summary>
    public static bool IsAwaitedAtOnce(this IInvocationOperation call) => call.WithConversions().Parent switch
    {
        IAwaitOperation => true,
        IReturnOperation { Kind: OperationKind.Return } => true,
        IPropertyReferenceOperation { Property.Name: "Result" } => true,
        IInvocationOperation { TargetMethod.Name: "GetAwaiter" } => true,
        IInvocationOperation { TargetMethod.Name: "ConfigureAwait" or "AsTask" or "Preserve" } next when next.Instance == call.WithConversions() => next.IsAwaitedAtOnce(),
        _ => false,
    };

    /// <summary>The result that the await of a call gives, with the conversions around it. Null if the call is not awaited at once.</summary>
    public static IOperation? AwaitedResult(this IInvocationOperation call)
    {
        var value = call.WithConversions();
        return value.Parent switch
        {
            IAwaitOperation awaited => awaited.WithConversions(),
            IInvocationOperation { TargetMethod.Name: "ConfigureAwait" or "AsTask" } next when next.Instance == value => next.AwaitedResult(),
            _ => null,
        };
    }

    /// <summary>The name of the method in a call.</summary>
    public static SyntaxNode NameSyntax(this IInvocationOperation call) => call.Syntax switch
    {
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access } => access.Name,
        InvocationExpressionSyntax { Expression: MemberBindingExpressionSyntax binding } => binding.Name,
        InvocationExpressionSyntax { Expression: var expression } => expression,
        var syntax => syntax,
    };
}
