using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>Lists the code that must change around a call that returns a task instead of a <c>ValueTask</c>.</summary>
internal sealed class ValueTaskHolder
{
    /// <summary>The names <c>ValueTask</c> in the declaration that holds the value.</summary>
    public IReadOnlyList<SimpleNameSyntax> TypeNames { get; private set; } = [];

    /// <summary>Calls of <c>AsTask()</c> and <c>Preserve()</c>, which a task does not have.</summary>
    public IReadOnlyList<InvocationExpressionSyntax> Superfluous { get; private set; } = [];

    /// <summary>Null if the change would reach code that this fix does not change.</summary>
    public static ValueTaskHolder? Of(InvocationExpressionSyntax call, SemanticModel model, CancellationToken token)
    {
        SyntaxNode value = call;
        while (value.Parent is ParenthesizedExpressionSyntax) value = value.Parent;
        switch (value.Parent)
        {
            case MemberAccessExpressionSyntax: // .Result, .GetAwaiter().GetResult()
                return new();
            case EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax variable }:
                return Declared(variable.Parent!, model.GetDeclaredSymbol(variable, token), model, token);
            case EqualsValueClauseSyntax { Parent: PropertyDeclarationSyntax property }:
                return Declared(property.Type, model.GetDeclaredSymbol(property, token), model, token);
            case AssignmentExpressionSyntax assignment when assignment.Right == value:
                return Target(assignment.Left, model, token);
            case ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Expression: var collection } } }:
                return Target(collection, model, token);
            default:
                return null;
        }
    }

    private static ValueTaskHolder? Target(ExpressionSyntax target, SemanticModel model, CancellationToken token)
    {
        while (target is ElementAccessExpressionSyntax element) target = element.Expression;
        if (model.GetTypeInfo(target, token).Type is not INamedTypeSymbol type || !type.ToDisplayString().Contains("ValueTask")) return new();
        if (model.GetSymbolInfo(target, token).Symbol is not { DeclaringSyntaxReferences.Length: 1 } symbol) return null;
        var reference = symbol.DeclaringSyntaxReferences[0];
        if (reference.SyntaxTree != model.SyntaxTree) return null;
        return reference.GetSyntax(token) switch
        {
            VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax declaration } => Declared(declaration, symbol, model, token),
            PropertyDeclarationSyntax property => Declared(property.Type, symbol, model, token),
            _ => null,
        };
    }

    private static ValueTaskHolder? Declared(SyntaxNode declaration, ISymbol? symbol, SemanticModel model, CancellationToken token)
    {
        if (symbol is null or { DeclaredAccessibility: not (Accessibility.Private or Accessibility.NotApplicable) }) return null;
        var uses = model.SyntaxTree.GetRoot(token).DescendantNodes()
            .OfType<IdentifierNameSyntax>()
            .Where(name => name.Identifier.ValueText == symbol.Name && SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(name, token).Symbol, symbol))
            .ToList();

        // Other code would still put ValueTasks there, and take ValueTasks out.
        var assignments = uses.Count(use => use.Parent is AssignmentExpressionSyntax assignment && assignment.Left == use);
        if (declaration is VariableDeclarationSyntax { Variables: { Count: 1 } variables } && variables[0].Initializer is not null) assignments++;
        if (assignments > 1 || uses.Any(use => use.Parent is ArgumentSyntax or ReturnStatementSyntax or ArrowExpressionClauseSyntax)) return null;
        return new()
        {
            TypeNames = [.. declaration.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Where(name => name.Identifier.ValueText == "ValueTask")],
            Superfluous =
            [
                .. uses.Select(use => use.Parent?.Parent).OfType<InvocationExpressionSyntax>()
                    .Where(call => call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "AsTask" or "Preserve" }),
            ],
        };
    }
}
