using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RequestCoalescing.Analyzers;
using RequestCoalescing.Analyzers.Calls;
using static Microsoft.CodeAnalysis.CSharp.SyntaxFactory;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>RC005: gets the service from a scope of the flight's own. Offered for an injected engine, which has such scopes, and for work that is one lambda.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class OwnScopeFix : CodeFixProvider
{
    private const string Title = "Use a service of the flight's own scope";
    private const string Services = "services";
    private const string Extensions = "Microsoft.Extensions.DependencyInjection";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Descriptors.ServiceOfRequest.Id];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        foreach (var diagnostic in context.Diagnostics)
        {
            if (await FixSite.FindAsync(context, diagnostic, method => method is { Name: "ExecuteAsync", IsExtensionMethod: false, Parameters.Length: 3 }).ConfigureAwait(false) is not { } site) continue;
            if (site is not { Node: IdentifierNameSyntax name, Parameter: { Type: null } flight, Call.Expression: MemberAccessExpressionSyntax engine }) continue;
            if (site.Model.GetTypeInfo(engine.Expression).Type is not { TypeKind: TypeKind.Interface } || site.Model.GetTypeInfo(name).Type is not { } type) continue;
            if (!type.DerivesFrom("Microsoft.EntityFrameworkCore", "DbContext") || IsMoreThanOne(site, type)) continue;
            if (!site.Model.LookupSymbols(name.SpanStart, name: Services).IsEmpty) continue;
            context.RegisterCodeFix(
                CodeAction.Create(Title, _ => Task.FromResult(context.Document.WithSyntaxRoot(Apply(site, name, type, flight, engine))), Title),
                diagnostic);
        }
    }

    /// <summary>Whether the work holds on to another context, so that two of them would have to be told apart.</summary>
    private static bool IsMoreThanOne(FixSite site, ITypeSymbol type) => site.Work.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>()
        .Select(name => site.Model.GetTypeInfo(name).Type)
        .Any(other => other.DerivesFrom("Microsoft.EntityFrameworkCore", "DbContext") && !SymbolEqualityComparer.Default.Equals(other, type));

    private static SyntaxNode Apply(FixSite site, IdentifierNameSyntax name, ITypeSymbol type, ParameterSyntax flight, MemberAccessExpressionSyntax engine)
    {
        var service = ParseExpression($"{Services}.GetRequiredService<{type.ToMinimalDisplayString(site.Model, name.SpanStart)}>()");
        var symbol = site.Model.GetSymbolInfo(name).Symbol;
        var uses = site.Work.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>()
            .Where(use => SymbolEqualityComparer.Default.Equals(site.Model.GetSymbolInfo(use).Symbol, symbol));
        var body = site.Work.Body.ReplaceNodes(uses, (_, use) => service.WithTriviaFrom(use));
        var parameters = ParameterList(SeparatedList(
            [Parameter(Identifier(Services)), Parameter(flight.Identifier.WithoutTrivia())],
            [Token(SyntaxKind.CommaToken).WithTrailingTrivia(Space)])).WithTrailingTrivia(Space);
        var work = ParenthesizedLambdaExpression(site.Work.AsyncKeyword, parameters, site.Work.ArrowToken, (CSharpSyntaxNode)body).WithTriviaFrom(site.Work);
        var root = site.Root.ReplaceNodes(
            new SyntaxNode[] { site.Work, engine.Name },
            (original, _) => original == site.Work ? work : IdentifierName("ExecuteInScopeAsync").WithTriviaFrom(original));
        return KnowsExtensions(site, name) || root is not CompilationUnitSyntax unit ? root : unit.AddUsings(UsingDirective(ParseName(Extensions)));
    }

    private static bool KnowsExtensions(FixSite site, SyntaxNode place) =>
        site.Model.Compilation.GetTypeByMetadataName("System.IServiceProvider") is { } provider &&
        !site.Model.LookupSymbols(place.SpanStart, provider, "GetRequiredService", includeReducedExtensionMethods: true).IsEmpty;
}
