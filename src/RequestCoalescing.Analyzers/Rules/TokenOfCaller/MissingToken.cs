using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.TokenOfCaller;

/// <summary>Finds the token that an asynchronous call could have been given.</summary>
internal static class MissingToken
{
    /// <summary>The parameter, of the method or of an overload that differs in nothing else. Null if the call has a token, or can have none.</summary>
    public static IParameterSymbol? In(IInvocationOperation invocation)
    {
        var method = invocation.TargetMethod;
        if (!IsAsynchronous(method.ReturnType) || StartsTask(method)) return null;
        if (method.Parameters.Any(parameter => parameter.Type.IsCancellationToken()))
        {
            return invocation.Arguments.FirstOrDefault(argument => argument.Parameter?.Type.IsCancellationToken() == true) is { ArgumentKind: ArgumentKind.DefaultValue } missing
                ? missing.Parameter
                : null;
        }

        return method.ContainingType.GetMembers(method.Name).OfType<IMethodSymbol>().FirstOrDefault(other => HasOnlyTokenMore(other, method))?.Parameters.Last();
    }

    private static bool IsAsynchronous(ITypeSymbol type) =>
        type.ContainingNamespace?.ToDisplayString() == "System.Threading.Tasks" || type.Is("System.Collections.Generic", "IAsyncEnumerable`1");

    /// <summary>A token given to <c>Task.Run</c> and its like prevents the start of a task, and stops nothing.</summary>
    private static bool StartsTask(IMethodSymbol method) =>
        method.ContainingNamespace?.ToDisplayString() == "System.Threading.Tasks" && method.Name != "Delay";

    private static bool HasOnlyTokenMore(IMethodSymbol other, IMethodSymbol method)
    {
        var wanted = method.OriginalDefinition;
        return other.Parameters.Length == wanted.Parameters.Length + 1 &&
            other.Parameters.Last().Type.IsCancellationToken() &&
            other.IsStatic == wanted.IsStatic &&
            other.TypeParameters.Length == 0 &&
            wanted.TypeParameters.Length == 0 &&
            other.DeclaredAccessibility == wanted.DeclaredAccessibility &&
            !other.GetAttributes().Any(attribute => attribute.AttributeClass.Is("System", "ObsoleteAttribute")) &&
            SymbolEqualityComparer.Default.Equals(other.OriginalDefinition.ReturnType, wanted.ReturnType) &&
            wanted.Parameters.Zip(other.OriginalDefinition.Parameters, (one, two) => SymbolEqualityComparer.Default.Equals(one.Type, two.Type)).All(same => same);
    }
}
