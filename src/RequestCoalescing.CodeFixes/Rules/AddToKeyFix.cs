using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Simplification;
using RequestCoalescing.Analyzers;
using RequestCoalescing.Analyzers.Flow;
using static Microsoft.CodeAnalysis.CSharp.SyntaxFactory;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC002 and RC003: adds the missing part to the key.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class AddToKeyFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.KeyLacksInput.Id, Descriptors.KeyLacksViewer.Id];

    /// <summary>None: two fixes of one key would overwrite each other.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root ||
            await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false) is not { } model) return;
        foreach (var diagnostic in context.Diagnostics)
        {
            if (!diagnostic.Properties.TryGetValue(KeyParts.Part, out var text) || text is null) continue;
            if (diagnostic.AdditionalLocations is not { Count: > 0 } locations || locations[0].SourceTree != root.SyntaxTree) continue;
            if (root.FindNode(locations[0].SourceSpan, getInnermostNodeForTie: true) is not ExpressionSyntax key) continue;
            var part = Short(ParseExpression(text));
            if (part.ContainsDiagnostics || !CanStandAt(root, diagnostic, key, model)) continue;
            if (NewKey.For(key, part, model) is not { } change) continue;
            var title = $"Add '{text}' to the key";
            context.RegisterCodeFix(CodeAction.Create(title, _ => Task.FromResult(context.Document.WithSyntaxRoot(change.In(root))), nameof(AddToKeyFix)), diagnostic);
        }
    }

    /// <summary>Leaves out namespaces where the file imports them.</summary>
    private static ExpressionSyntax Short(ExpressionSyntax part) => part.ReplaceNodes(
        part.DescendantNodesAndSelf().OfType<MemberAccessExpressionSyntax>(),
        (_, access) => access.WithAdditionalAnnotations(Simplifier.Annotation));

    /// <summary>Whether the expression uses nothing that only the work knows.</summary>
    private static bool CanStandAt(SyntaxNode root, Diagnostic diagnostic, ExpressionSyntax key, SemanticModel model) =>
        root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true).DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().All(name =>
            model.GetSymbolInfo(name).Symbol is not (ILocalSymbol or IParameterSymbol) ||
            model.LookupSymbols(key.SpanStart, name: name.Identifier.Text).Contains(model.GetSymbolInfo(name).Symbol!, SymbolEqualityComparer.Default));
}
