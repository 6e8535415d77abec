using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;
using RequestCoalescing.Analyzers;
using RequestCoalescing.Analyzers.Calls;
using static Microsoft.CodeAnalysis.CSharp.SyntaxFactory;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC011: stores in the cache only if the flight is current.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class LookAtFlightFix : CodeFixProvider
{
    private const string Title = "Store only if the flight is current";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.CacheWrittenBlindly.Id];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        foreach (var diagnostic in context.Diagnostics)
        {
            if (await FixSite.FindAsync(context, diagnostic, method => method.Name == "ExecuteAsync").ConfigureAwait(false) is not { } site) continue;
            if (site.Node.FirstAncestorOrSelf<StatementSyntax>() is not ExpressionStatementSyntax { Expression: var expression } statement ||
                (expression is AwaitExpressionSyntax wait ? wait.Expression : expression) != site.Node ||
                statement.Parent is not BlockSyntax) continue;
            if (site.Model.GetSymbolInfo(site.Work).Symbol is not IMethodSymbol { Parameters: { Length: > 0 } parameters } work) continue;
            var flight = parameters[parameters.Length - 1];
            var isView = flight.Type.Is("RequestCoalescing", "FlightContext");
            if (flight.Name is "" or "_" || !(isView || CanBeView(site, work, flight))) continue;
            if (!site.Model.LookupSymbols(statement.SpanStart, name: flight.Name).Contains(flight, SymbolEqualityComparer.Default)) continue;
            context.RegisterCodeFix(
                CodeAction.Create(Title, _ => Task.FromResult(context.Document.WithSyntaxRoot(Apply(site, statement, NameOf(flight), isView))), Title),
                diagnostic);
        }
    }

    /// <summary>A form with a view of the flight exists for work with a result that is asynchronous. Where the token is an argument, the view converts to it.</summary>
    private static bool CanBeView(FixSite site, IMethodSymbol work, IParameterSymbol flight) =>
        site.Parameter is not null && flight.Type.IsCancellationToken() && work.ReturnType is INamedTypeSymbol { Name: "Task" or "ValueTask", TypeArguments.Length: 1 } &&
        site.Work.Body.DescendantNodes().OfType<IdentifierNameSyntax>()
            .Where(name => SymbolEqualityComparer.Default.Equals(site.Model.GetSymbolInfo(name).Symbol, flight))
            .All(name => name.Parent is ArgumentSyntax);

    /// <summary>The name as the source writes it, with an @ if it is a keyword.</summary>
    private static SyntaxToken NameOf(IParameterSymbol flight) => ((ParameterSyntax)flight.DeclaringSyntaxReferences[0].GetSyntax()).Identifier.WithoutTrivia();

    private static SyntaxNode Apply(FixSite site, StatementSyntax statement, SyntaxToken flight, bool isView)
    {
        var current = MemberAccessExpression(SyntaxKind.SimpleMemberAccessExpression, IdentifierName(flight), IdentifierName("IsCurrent"));
        var guarded = IfStatement(current, statement.WithoutTrivia()).WithTriviaFrom(statement).WithAdditionalAnnotations(Formatter.Annotation);
        if (isView) return site.Root.ReplaceNode(statement, guarded);
        var view = ParenthesizedLambdaExpression(
            site.Work.AsyncKeyword,
            ParameterList(SingletonSeparatedList(Parameter(flight).WithType(IdentifierName("FlightContext").WithTrailingTrivia(Space)))).WithTrailingTrivia(Space),
            site.Work.ArrowToken,
            (CSharpSyntaxNode)site.Work.Body.ReplaceNode(statement, guarded));
        return site.Root.ReplaceNode(site.Work, view.WithModifiers(site.Work.Modifiers).WithTriviaFrom(site.Work));
    }
}
