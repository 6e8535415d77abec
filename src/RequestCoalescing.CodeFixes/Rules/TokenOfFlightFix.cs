using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using RequestCoalescing.Analyzers;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Rules.TokenOfCaller;
using static Microsoft.CodeAnalysis.CSharp.SyntaxFactory;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC001: uses the token of the flight.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class TokenOfFlightFix : CodeFixProvider
{
    private const string Title = "Use the token of the flight";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.TokenOfCaller.Id];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root ||
            await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false) is not { } model) return;
        foreach (var diagnostic in context.Diagnostics)
        {
            if (diagnostic.AdditionalLocations is not { Count: > 0 } locations || locations[0].SourceTree != root.SyntaxTree) continue;
            if (root.FindNode(locations[0].SourceSpan) is not ParameterSyntax parameter || model.GetDeclaredSymbol(parameter) is not IParameterSymbol flight) continue;
            if (root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true) is not ExpressionSyntax expression) continue;
            var name = flight.Name == "_" ? Identifier("flight") : parameter.Identifier.WithoutTrivia();
            var seen = model.LookupSymbols(expression.SpanStart, name: name.ValueText);
            if (flight.Name == "_" ? !seen.IsEmpty : !seen.Contains(flight, SymbolEqualityComparer.Default)) continue;
            context.RegisterCodeFix(
                CodeAction.Create(Title, async cancel => await ApplyAsync(context.Document, parameter, flight, name, expression, diagnostic, cancel).ConfigureAwait(false), Title),
                diagnostic);
        }
    }

    private static async Task<Document> ApplyAsync(
        Document document,
        ParameterSyntax parameter,
        IParameterSymbol flight,
        SyntaxToken name,
        ExpressionSyntax place,
        Diagnostic diagnostic,
        CancellationToken cancel)
    {
        var editor = await DocumentEditor.CreateAsync(document, cancel).ConfigureAwait(false);
        if (flight.Name == "_") editor.ReplaceNode(parameter, parameter.WithIdentifier(name.WithTriviaFrom(parameter.Identifier)));
        if (place is InvocationExpressionSyntax invocation && diagnostic.Descriptor.MessageFormat.Equals(Descriptors.NoToken.MessageFormat))
        {
            editor.ReplaceNode(invocation.ArgumentList, WithToken(invocation.ArgumentList, diagnostic, name));
        }
        else
        {
            editor.ReplaceNode(place, Token(flight, name, place).WithTriviaFrom(place));
        }

        return editor.GetChangedDocument();
    }

    /// <summary>A view of the flight converts to its token, but has no members of a token.</summary>
    private static ExpressionSyntax Token(IParameterSymbol flight, SyntaxToken name, ExpressionSyntax place) =>
        flight.Type.IsCancellationToken() || place.Parent is ArgumentSyntax
            ? IdentifierName(name)
            : MemberAccessExpression(SyntaxKind.SimpleMemberAccessExpression, IdentifierName(name), IdentifierName("CancellationToken"));

    private static ArgumentListSyntax WithToken(ArgumentListSyntax list, Diagnostic diagnostic, SyntaxToken name)
    {
        var token = Argument(IdentifierName(name));
        var isNext = diagnostic.Properties.TryGetValue(TokenOfCallerAnalyzer.Position, out var position) &&
            position == list.Arguments.Count.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (!isNext || list.Arguments.Any(argument => argument.NameColon is not null))
        {
            token = token.WithNameColon(NameColon(diagnostic.Properties[TokenOfCallerAnalyzer.Parameter]!));
        }

        return list.AddArguments(token);
    }
}
