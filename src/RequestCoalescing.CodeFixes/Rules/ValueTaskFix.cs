using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>Fixes RC006: the call gives a task, which can be awaited and kept.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(ValueTaskFix))]
[Shared]
public sealed class ValueTaskFix : CodeFixProvider
{
    private const string Title = "Use AsTask()";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["RC006"];

    /// <summary>None: two findings can ask for the same change, which would then be made twice.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        if (root is null || model is null || context.Diagnostics[0].AdditionalLocations is not { Count: 1 } calls) return;
        if (root.FindNode(calls[0].SourceSpan, getInnermostNodeForTie: true).FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { } call) return;
        if (ValueTaskHolder.Of(call, model, context.CancellationToken) is not { } holder) return;
        context.RegisterCodeFix(CodeAction.Create(Title, token => WithTaskAsync(context.Document, call, holder, token), equivalenceKey: Title), context.Diagnostics);
    }

    private static async Task<Document> WithTaskAsync(Document document, InvocationExpressionSyntax call, ValueTaskHolder holder, CancellationToken token)
    {
        var editor = await DocumentEditor.CreateAsync(document, token).ConfigureAwait(false);
        editor.ReplaceNode(call, (current, _) => AsTask((ExpressionSyntax)current));
        foreach (var type in holder.TypeNames) editor.ReplaceNode(type, Task(type));
        foreach (var superfluous in holder.Superfluous)
        {
            editor.ReplaceNode(superfluous, ((MemberAccessExpressionSyntax)superfluous.Expression).Expression.WithTriviaFrom(superfluous));
        }

        return editor.GetChangedDocument();
    }

    private static InvocationExpressionSyntax AsTask(ExpressionSyntax call) => SyntaxFactory.InvocationExpression(
        SyntaxFactory.MemberAccessExpression(SyntaxKind.SimpleMemberAccessExpression, call.WithoutTrailingTrivia(), SyntaxFactory.IdentifierName("AsTask")))
        .WithTrailingTrivia(call.GetTrailingTrivia());

    private static SimpleNameSyntax Task(SimpleNameSyntax name) => name.WithIdentifier(SyntaxFactory.Identifier("Task").WithTriviaFrom(name.Identifier));
}
