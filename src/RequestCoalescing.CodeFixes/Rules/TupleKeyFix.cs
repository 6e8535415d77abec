using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RequestCoalescing.Analyzers;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC012: makes a text of several parts a tuple, where no other code uses the engine.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class TupleKeyFix : CodeFixProvider
{
    private const string Title = "Use a tuple as the key";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.ConcatenatedKey.Id];

    /// <summary>None: the type of an engine can change only once.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root ||
            await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false) is not { } model) return;
        foreach (var diagnostic in context.Diagnostics)
        {
            if (root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true) is not ExpressionSyntax { Parent: ArgumentSyntax } key) continue;
            var parts = PartsOf(key).Where(part => !model.GetConstantValue(part).HasValue).ToList();
            if (parts.Count < 2 || NewKey.OfParts(key, parts, model) is not { } change) continue;
            context.RegisterCodeFix(CodeAction.Create(Title, _ => Task.FromResult(context.Document.WithSyntaxRoot(change.In(root))), Title), diagnostic);
        }
    }

    private static IEnumerable<ExpressionSyntax> PartsOf(ExpressionSyntax key) => key switch
    {
        InterpolatedStringExpressionSyntax text when text.Contents.OfType<InterpolationSyntax>().All(hole => hole is { FormatClause: null, AlignmentClause: null }) =>
            text.Contents.OfType<InterpolationSyntax>().Select(hole => hole.Expression),
        BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) => PartsOf(sum.Left).Concat(PartsOf(sum.Right)),
        InterpolatedStringExpressionSyntax => [],
        _ => [key],
    };
}
