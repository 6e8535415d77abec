using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Simplification;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>Fixes RC008: the caller changes a copy of an array or list. Elements that are changed would still be shared, so that no fix is offered for them.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(CopyOfResultFix))]
[Shared]
public sealed class CopyOfResultFix : CodeFixProvider
{
    private const string Title = "Change a copy";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["RC008"];

    /// <summary>None: one copy is enough for all changes of a local.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        if (root is null || model is null || context.Diagnostics[0].AdditionalLocations is not { Count: 1 } calls) return;
        if (root.SyntaxTree.Options is not CSharpParseOptions { LanguageVersion: >= LanguageVersion.CSharp12 }) return;
        var declaration = root.FindNode(calls[0].SourceSpan).FirstAncestorOrSelf<VariableDeclarationSyntax>();
        if (declaration is not { Variables: { Count: 1 } variables } || variables[0] is not { Initializer.Value: AwaitExpressionSyntax value } variable) return;
        if (model.GetDeclaredSymbol(variable, context.CancellationToken) is not ILocalSymbol local || !CanCopy(local.Type) || !Changes(root.FindNode(context.Span), local.Name)) return;
        context.RegisterCodeFix(CodeAction.Create(Title, token => CopyAsync(context.Document, declaration, value, local.Type, token), equivalenceKey: Title), context.Diagnostics);
    }

    private static bool CanCopy(ITypeSymbol type) => type is IArrayTypeSymbol { Rank: 1 } ||
        (type is INamedTypeSymbol { MetadataName: "List`1" } && type.ContainingNamespace.ToDisplayString() == "System.Collections.Generic");

    /// <summary>Whether it is the local that changes: <c>local.Sort()</c>, <c>local[0] = value</c>, <c>Array.Sort(local)</c>.</summary>
    private static bool Changes(SyntaxNode change, string local)
    {
        var target = change switch
        {
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.ValueText: "Array" } }, ArgumentList.Arguments: var arguments } => arguments[0].Expression,
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Expression: var receiver } } => receiver,
            AssignmentExpressionSyntax { Left: ElementAccessExpressionSyntax { Expression: var receiver } } => receiver,
            PostfixUnaryExpressionSyntax { Operand: ElementAccessExpressionSyntax { Expression: var receiver } } => receiver,
            PrefixUnaryExpressionSyntax { Operand: ElementAccessExpressionSyntax { Expression: var receiver } } => receiver,
            _ => null,
        };
        return target is IdentifierNameSyntax name && name.Identifier.ValueText == local;
    }

    private static async Task<Document> CopyAsync(Document document, VariableDeclarationSyntax declaration, AwaitExpressionSyntax value, ITypeSymbol type, CancellationToken token)
    {
        var editor = await DocumentEditor.CreateAsync(document, token).ConfigureAwait(false);
        var name = editor.Generator.TypeExpression(type.WithNullableAnnotation(NullableAnnotation.NotAnnotated)).WithAdditionalAnnotations(Simplifier.Annotation);
        editor.ReplaceNode(declaration.Type, name.WithTriviaFrom(declaration.Type));
        var copy = SyntaxFactory.CollectionExpression([SyntaxFactory.SpreadElement(value.WithoutTrivia().WithLeadingTrivia(SyntaxFactory.Space))]);
        editor.ReplaceNode(value, copy.WithTriviaFrom(value));
        return editor.GetChangedDocument();
    }
}
