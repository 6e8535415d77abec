using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Simplification;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>Moves an engine from a method to a static field of its type.</summary>
internal static class StaticEngine
{
    /// <summary>Whether nothing ends the engine that the static field would keep.</summary>
    public static bool CanMove(VariableDeclaratorSyntax variable, SemanticModel model, CancellationToken token) =>
        variable.FirstAncestorOrSelf<TypeDeclarationSyntax>() is not null &&
        !References(variable, model, token).Any(reference => reference.Parent is MemberAccessExpressionSyntax { Name.Identifier.Text: "DisposeAsync" or "DrainAsync" });

    public static async Task<Document> MoveAsync(
        Document document,
        BaseObjectCreationExpressionSyntax creation,
        StatementSyntax? local,
        VariableDeclaratorSyntax? variable,
        CancellationToken token)
    {
        var editor = await DocumentEditor.CreateAsync(document, token).ConfigureAwait(false);
        var owner = creation.FirstAncestorOrSelf<TypeDeclarationSyntax>();
        if (owner is null || editor.SemanticModel.GetTypeInfo(creation, token).Type is not { } type) return document;

        var name = FreeName(owner, "s_" + (variable?.Identifier.ValueText.TrimStart('_') ?? "flights"), editor.SemanticModel, token);
        if (local is null || variable is null)
        {
            editor.ReplaceNode(creation, SyntaxFactory.IdentifierName(name).WithTriviaFrom(creation));
        }
        else
        {
            foreach (var reference in References(variable, editor.SemanticModel, token))
            {
                editor.ReplaceNode(reference, SyntaxFactory.IdentifierName(name).WithTriviaFrom(reference));
            }

            editor.RemoveNode(local, SyntaxRemoveOptions.KeepUnbalancedDirectives);
        }

        var field = editor.Generator.FieldDeclaration(
            name,
            editor.Generator.TypeExpression(type).WithAdditionalAnnotations(Simplifier.Annotation),
            Accessibility.Private,
            DeclarationModifiers.Static | DeclarationModifiers.ReadOnly,
            SyntaxFactory.ImplicitObjectCreationExpression(creation.ArgumentList ?? SyntaxFactory.ArgumentList(), creation.Initializer));
        var newLine = owner.DescendantTrivia().FirstOrDefault(trivia => trivia.IsKind(SyntaxKind.EndOfLineTrivia)).ToString();
        var lines = owner.Members.FirstOrDefault() is FieldDeclarationSyntax ? 1 : 2;
        var end = Enumerable.Repeat(SyntaxFactory.ElasticEndOfLine(newLine), lines);
        editor.InsertMembers(owner, 0, [field.WithTrailingTrivia(end).WithAdditionalAnnotations(Formatter.Annotation)]);
        return editor.GetChangedDocument();
    }

    private static IEnumerable<IdentifierNameSyntax> References(VariableDeclaratorSyntax variable, SemanticModel model, CancellationToken token)
    {
        var symbol = model.GetDeclaredSymbol(variable, token);
        return variable.FirstAncestorOrSelf<MemberDeclarationSyntax>()!.DescendantNodes()
            .OfType<IdentifierNameSyntax>()
            .Where(name => name.Identifier.ValueText == variable.Identifier.ValueText && SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(name, token).Symbol, symbol));
    }

    private static string FreeName(TypeDeclarationSyntax owner, string wanted, SemanticModel model, CancellationToken token)
    {
        var taken = model.GetDeclaredSymbol(owner, token)?.MemberNames.ToList() ?? [];
        var name = wanted;
        for (var number = 2; taken.Contains(name); number++) name = wanted + number;
        return name;
    }
}
