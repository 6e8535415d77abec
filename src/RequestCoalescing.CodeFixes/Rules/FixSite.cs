using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>The code around a finding: the work and the call that it is passed to.</summary>
internal sealed record FixSite(SyntaxNode Root, SemanticModel Model, SyntaxNode Node, LambdaExpressionSyntax Work, InvocationExpressionSyntax Call)
{
    /// <summary>Null if the work is no lambda that is written where it is passed.</summary>
    public static async Task<FixSite?> FindAsync(CodeFixContext context, Diagnostic diagnostic, Func<IMethodSymbol, bool> isCall)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root ||
            await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false) is not { } model) return null;
        var node = root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);
        foreach (var lambda in node.Ancestors().OfType<LambdaExpressionSyntax>())
        {
            if (lambda.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax call } && model.GetSymbolInfo(call).Symbol is IMethodSymbol method && isCall(method))
            {
                return new(root, model, node, lambda, call);
            }
        }

        return null;
    }

    /// <summary>The only parameter of the work. Null if it has several.</summary>
    public ParameterSyntax? Parameter => Work switch
    {
        SimpleLambdaExpressionSyntax simple => simple.Parameter,
        ParenthesizedLambdaExpressionSyntax { ParameterList.Parameters: { Count: 1 } parameters } => parameters[0],
        _ => null,
    };
}
