using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RequestCoalescing.Analyzers;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC009: removes a value that is new each time from an interpolated text, with the separator before it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class RemoveFromKeyFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.UnstableKey.Id];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root) return;
        foreach (var diagnostic in context.Diagnostics)
        {
            var node = root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);
            if (node.Parent is not InterpolationSyntax { Parent: InterpolatedStringExpressionSyntax key } hole || key.Contents.OfType<InterpolationSyntax>().Count() < 2) continue;
            context.RegisterCodeFix(
                CodeAction.Create($"Remove '{node}' from the key", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(key, Without(key, hole)))), nameof(RemoveFromKeyFix)),
                diagnostic);
        }
    }

    private static InterpolatedStringExpressionSyntax Without(InterpolatedStringExpressionSyntax key, InterpolationSyntax hole)
    {
        var index = key.Contents.IndexOf(hole);
        var contents = key.Contents.RemoveAt(index);
        if (index > 0 && contents[index - 1] is InterpolatedStringTextSyntax before) contents = Shorten(contents, before, before.TextToken.Text.TrimEnd(':', '/', '-', '|', '_', ',', ' '));
        else if (index < contents.Count && contents[index] is InterpolatedStringTextSyntax after) contents = Shorten(contents, after, after.TextToken.Text.TrimStart(':', '/', '-', '|', '_', ',', ' '));
        return key.WithContents(contents);
    }

    private static SyntaxList<InterpolatedStringContentSyntax> Shorten(SyntaxList<InterpolatedStringContentSyntax> contents, InterpolatedStringTextSyntax old, string text) => text.Length == 0
        ? contents.Remove(old)
        : contents.Replace(old, old.WithTextToken(SyntaxFactory.Token(default, SyntaxKind.InterpolatedStringTextToken, text, text, default)));
}
