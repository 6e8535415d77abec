using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Simplification;
using static Microsoft.CodeAnalysis.CSharp.SyntaxFactory;

namespace RequestCoalescing.CodeFixes.Rules;

/// <summary>A key with one more part, and the type of its engine if that changes with it.</summary>
internal sealed class NewKey
{
    private readonly Dictionary<SyntaxNode, SyntaxNode> _changes = [];

    /// <summary>Null if other code would have to change, too.</summary>
    public static NewKey? For(ExpressionSyntax key, ExpressionSyntax part, SemanticModel model)
    {
        var change = new NewKey();
        var type = model.GetTypeInfo(key).ConvertedType;
        if (type?.SpecialType == SpecialType.System_String)
        {
            change._changes[key] = WithText(key, part).WithTriviaFrom(key);
            return change;
        }

        change._changes[key] = WithElement(key, part).WithTriviaFrom(key);
        if (type?.SpecialType == SpecialType.System_Object) return change;
        var partType = model.GetSpeculativeTypeInfo(key.SpanStart, part, SpeculativeBindingOption.BindAsExpression).Type;
        return partType is not null && change.ChangesEngine(key, model, old => Tuple(old, key, partType.ToMinimalDisplayString(model, old.SpanStart), NameOf(part))) ? change : null;
    }

    /// <summary>A tuple instead of a text. Null if other code would have to change, too.</summary>
    public static NewKey? OfParts(ExpressionSyntax key, IReadOnlyList<ExpressionSyntax> parts, SemanticModel model)
    {
        var change = new NewKey();
        change._changes[key] = TupleExpression(SeparatedList(parts.Select(part => Argument(part.WithoutTrivia())))).WithTriviaFrom(key);
        var types = parts.Select(part => model.GetTypeInfo(part).Type?.ToMinimalDisplayString(model, key.SpanStart)).ToList();
        if (types.Contains(null)) return null;
        var type = ParseTypeName($"({string.Join(", ", types)})");
        return change.ChangesEngine(key, model, _ => type) ? change : null;
    }

    public SyntaxNode In(SyntaxNode root) => root.ReplaceNodes(_changes.Keys, (original, _) => _changes[original].WithAdditionalAnnotations(Simplifier.Annotation, Formatter.Annotation));

    /// <summary>The key as a text with one more part.</summary>
    internal static InterpolatedStringExpressionSyntax WithText(ExpressionSyntax key, ExpressionSyntax part)
    {
        var parts = key switch
        {
            InterpolatedStringExpressionSyntax text => text.Contents,
            LiteralExpressionSyntax literal when literal.Token.ValueText.All(letter => letter is not ('"' or '\\' or '{' or '}') && !char.IsControl(letter)) => [Text(literal.Token.ValueText)],
            _ => [Hole(key.WithoutTrivia())],
        };
        var start = key is InterpolatedStringExpressionSyntax old ? old.StringStartToken : Token(SyntaxKind.InterpolatedStringStartToken);
        var end = key is InterpolatedStringExpressionSyntax same ? same.StringEndToken : Token(SyntaxKind.InterpolatedStringEndToken);
        parts = parts.LastOrDefault() is InterpolatedStringTextSyntax last ? parts.Replace(last, Text(last.TextToken.Text + ":")) : parts.Add(Text(":"));
        var braces = Math.Max(1, start.Text.Count(letter => letter == '$'));
        return InterpolatedStringExpression(start, parts.Add(Hole(part, braces)), end);
    }

    private static InterpolatedStringTextSyntax Text(string text) =>
        InterpolatedStringText(Token(default, SyntaxKind.InterpolatedStringTextToken, text, text, default));

    /// <summary>A hole of a text. In a raw text it has as many braces as the text has dollars. A colon outside parentheses would begin a format.</summary>
    private static InterpolationSyntax Hole(ExpressionSyntax expression, int braces = 1) => Interpolation(
        Token(default, SyntaxKind.OpenBraceToken, new('{', braces), new('{', braces), default),
        expression.DescendantNodesAndSelf().Any(node => node is ConditionalExpressionSyntax or AliasQualifiedNameSyntax) ? ParenthesizedExpression(expression) : expression,
        null,
        null,
        Token(default, SyntaxKind.CloseBraceToken, new('}', braces), new('}', braces), default));

    private static TupleExpressionSyntax WithElement(ExpressionSyntax key, ExpressionSyntax part) => key is TupleExpressionSyntax tuple
        ? tuple.AddArguments(Argument(part))
        : TupleExpression(SeparatedList([Argument(key.WithoutTrivia()), Argument(part)]));

    private static string NameOf(ExpressionSyntax part) => part switch
    {
        IdentifierNameSyntax name => name.Identifier.Text.TrimStart('_'),
        MemberAccessExpressionSyntax access => access.Name.Identifier.Text,
        _ => "",
    };

    /// <summary>Changes the type of a private field or a local that is used for this call only.</summary>
    private bool ChangesEngine(ExpressionSyntax key, SemanticModel model, Func<TypeSyntax, TypeSyntax> newType)
    {
        if (key.FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { Expression: MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax receiver } }) return false;
        var engine = model.GetSymbolInfo(receiver).Symbol;
        if (engine is not (ILocalSymbol or IFieldSymbol { DeclaredAccessibility: Accessibility.Private })) return false;
        if (engine.ContainingType is { DeclaringSyntaxReferences.Length: > 1 } || engine.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax()?.Parent is not VariableDeclarationSyntax declaration) return false;
        if (declaration.Variables.Count != 1 || declaration.SyntaxTree != model.SyntaxTree) return false;
        var uses = model.SyntaxTree.GetRoot().DescendantNodes().OfType<IdentifierNameSyntax>()
            .Count(use => use.Identifier.ValueText == engine.Name && SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(use).Symbol, engine));
        if (uses != 1) return false;
        var names = declaration.DescendantNodes().OfType<SimpleNameSyntax>().Where(IsEngine).ToList();
        foreach (var engineName in names)
        {
            var old = engineName is GenericNameSyntax generic ? generic.TypeArgumentList.Arguments[0] : PredefinedType(Token(SyntaxKind.StringKeyword));
            _changes[engineName] = GenericName(engineName.Identifier.WithoutTrivia(), TypeArgumentList(SingletonSeparatedList(newType(old)))).WithTriviaFrom(engineName);
        }

        return names.Count > 0;
    }

    private static bool IsEngine(SimpleNameSyntax name) =>
        name.Identifier.ValueText is "Singleflight" or "ISingleflight" && name is IdentifierNameSyntax or GenericNameSyntax { TypeArgumentList.Arguments.Count: 1 };

    private static TupleTypeSyntax Tuple(TypeSyntax old, ExpressionSyntax key, string type, string name)
    {
        var part = TupleElement(ParseTypeName(type));
        if (old is not TupleTypeSyntax tuple || key is not TupleExpressionSyntax) return TupleType(SeparatedList([TupleElement(old.WithoutTrivia()), part]));
        var named = tuple.Elements.All(element => element.Identifier != default) && name.Length > 0;
        return tuple.AddElements(named ? part.WithIdentifier(Identifier(char.ToUpperInvariant(name[0]) + name.Substring(1))) : part);
    }
}
