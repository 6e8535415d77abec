using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>Fixes RC010: the engine becomes a singleton, or moves to a static field.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(EngineOfRequestFix))]
[Shared]
public sealed class EngineOfRequestFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["RC010"];

    /// <summary>Two fixes at once could choose the same name for their fields.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        if (root is null || model is null) return;
        var node = root.FindNode(context.Span, getInnermostNodeForTie: true);
        if (node is SimpleNameSyntax name)
        {
            Register(context, "Register a singleton", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(name, Singleton(name)))));
            return;
        }

        if (node is not BaseObjectCreationExpressionSyntax creation || DependsOnItsPlace(creation, model, context.CancellationToken)) return;
        switch (creation.Parent)
        {
            case EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax { Variables.Count: 1, Parent: FieldDeclarationSyntax field } } }:
                Register(context, "Make the field static", token => WithModifierAsync(context.Document, field, token));
                break;
            case EqualsValueClauseSyntax { Parent: PropertyDeclarationSyntax property }:
                Register(context, "Make the property static", token => WithModifierAsync(context.Document, property, token));
                break;
            case ArrowExpressionClauseSyntax { Parent: PropertyDeclarationSyntax property }:
                Register(context, "Create the engine once", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(property, WithValue(property, creation)))));
                break;
            case EqualsValueClauseSyntax
            {
                Parent: VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax { Variables.Count: 1, Parent: LocalDeclarationStatementSyntax local } } variable,
            } when StaticEngine.CanMove(variable, model, context.CancellationToken):
                Register(context, "Move the engine to a static field", token => StaticEngine.MoveAsync(context.Document, creation, local, variable, token));
                break;
            case MemberAccessExpressionSyntax when creation.FirstAncestorOrSelf<TypeDeclarationSyntax>() is not null:
                Register(context, "Move the engine to a static field", token => StaticEngine.MoveAsync(context.Document, creation, local: null, variable: null, token));
                break;
            default:
                break;
        }
    }

    private static void Register(CodeFixContext context, string title, Func<CancellationToken, Task<Document>> fix) =>
        context.RegisterCodeFix(CodeAction.Create(title, fix, equivalenceKey: title), context.Diagnostics);

    /// <summary>Whether the arguments use a local, a parameter or the object itself, which a static field does not have.</summary>
    private static bool DependsOnItsPlace(SyntaxNode creation, SemanticModel model, CancellationToken token) =>
        creation.DescendantNodes().Any(node =>
            node is ThisExpressionSyntax or BaseExpressionSyntax ||
            (node is IdentifierNameSyntax && model.GetSymbolInfo(node, token).Symbol is { } symbol && IsOfPlace(symbol, node))) ||
        model.GetTypeInfo(creation, token).Type is not INamedTypeSymbol type || type.TypeArguments.Any(argument => argument is ITypeParameterSymbol { TypeParameterKind: TypeParameterKind.Method });

    private static bool IsOfPlace(ISymbol symbol, SyntaxNode node) => symbol switch
    {
        ILocalSymbol or IParameterSymbol or ITypeParameterSymbol { TypeParameterKind: TypeParameterKind.Method } => true,
        IFieldSymbol or IPropertySymbol or IMethodSymbol { MethodKind: MethodKind.Ordinary } =>
            !symbol.IsStatic && node.Parent is not MemberAccessExpressionSyntax and not AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax },
        _ => false,
    };

    private static SimpleNameSyntax Singleton(SimpleNameSyntax name)
    {
        var text = name.Identifier.Text.Replace("Scoped", "Singleton").Replace("Transient", "Singleton");
        return name.WithIdentifier(SyntaxFactory.Identifier(text).WithTriviaFrom(name.Identifier));
    }

    private static async Task<Document> WithModifierAsync(Document document, SyntaxNode member, CancellationToken token)
    {
        var editor = await DocumentEditor.CreateAsync(document, token).ConfigureAwait(false);
        editor.SetModifiers(member, editor.Generator.GetModifiers(member).WithIsStatic(true));
        return editor.GetChangedDocument();
    }

    private static PropertyDeclarationSyntax WithValue(PropertyDeclarationSyntax property, ExpressionSyntax creation) => property
        .WithExpressionBody(null)
        .WithAccessorList(SyntaxFactory.AccessorList([SyntaxFactory.AccessorDeclaration(SyntaxKind.GetAccessorDeclaration).WithSemicolonToken(SyntaxFactory.Token(SyntaxKind.SemicolonToken))]))
        .WithInitializer(SyntaxFactory.EqualsValueClause(creation))
        .WithSemicolonToken(SyntaxFactory.Token(SyntaxKind.SemicolonToken))
        .WithTriviaFrom(property)
        .WithAdditionalAnnotations(Formatter.Annotation);
}
