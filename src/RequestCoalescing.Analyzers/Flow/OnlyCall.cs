using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Flow;

/// <summary>Finds the only call of a private method, so that the method can be read as a part of its caller.</summary>
internal static class OnlyCall
{
    /// <summary>The only call of the method around an operation. Null if other code can call the method, or if it is called more than once.</summary>
    public static IInvocationOperation? OfMethodAround(IOperation operation)
    {
        if (operation.SemanticModel is not { } model || MethodAround(operation, model) is not { DeclaredAccessibility: Accessibility.Private } method) return null;
        var types = method.ContainingType.DeclaringSyntaxReferences;
        if (types.Any(type => type.SyntaxTree != model.SyntaxTree)) return null;
        var uses = types.SelectMany(type => type.GetSyntax().DescendantNodes())
            .OfType<SimpleNameSyntax>()
            .Where(name => name.Identifier.ValueText == method.Name && SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(name).Symbol?.OriginalDefinition, method))
            .Take(2)
            .ToList();
        if (uses.Count != 1) return null;
        var use = uses[0].Parent is MemberAccessExpressionSyntax or MemberBindingExpressionSyntax ? uses[0].Parent! : uses[0];
        return use.Parent is InvocationExpressionSyntax call ? model.GetOperation(call) as IInvocationOperation : null;
    }

    private static IMethodSymbol? MethodAround(IOperation operation, SemanticModel model)
    {
        var symbol = model.GetEnclosingSymbol(operation.Syntax.SpanStart);
        while (symbol is IMethodSymbol { MethodKind: MethodKind.AnonymousFunction or MethodKind.LocalFunction }) symbol = symbol.ContainingSymbol;
        return symbol as IMethodSymbol;
    }
}
