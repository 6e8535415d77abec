using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksInput;

/// <summary>Tells the members of <c>this</c> that hold an argument of the current request from dependencies and settings.</summary>
internal static class Members
{
    private static readonly (string Namespace, string Name)[] s_perRequest =
    [
        ("Microsoft.AspNetCore.Mvc", "ControllerBase"),
        ("Microsoft.AspNetCore.Mvc", "ViewComponent"),
        ("Microsoft.AspNetCore.Mvc.RazorPages", "PageModel"),
        ("Microsoft.AspNetCore.Components", "ComponentBase"),
    ];

    private static readonly string[] s_bound =
        ["BindPropertyAttribute", "FromQueryAttribute", "FromRouteAttribute", "FromHeaderAttribute", "ParameterAttribute", "SupplyParameterFromQueryAttribute", "CascadingParameterAttribute"];

    public static bool HoldArgument(ISymbol member, IOperation place) => IsBound(member) || IsSetFromParameter(member, place);

    private static bool IsBound(ISymbol member) =>
        s_perRequest.Any(type => member.ContainingType.DerivesFrom(type.Namespace, type.Name)) &&
        member.GetAttributes().Any(attribute => s_bound.Contains(attribute.AttributeClass?.Name));

    /// <summary>Whether a method, other than a constructor, stores one of its parameters in the member.</summary>
    private static bool IsSetFromParameter(ISymbol member, IOperation place)
    {
        if (place.SemanticModel is not { } model) return false;
        return member.ContainingType.DeclaringSyntaxReferences
            .Where(declaration => declaration.SyntaxTree == model.SyntaxTree)
            .SelectMany(declaration => declaration.GetSyntax().DescendantNodes())
            .OfType<AssignmentExpressionSyntax>()
            .Where(assignment => assignment.IsKind(SyntaxKind.SimpleAssignmentExpression) && NameOf(assignment.Left) == member.Name)
            .Any(assignment =>
                SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(assignment.Left).Symbol, member) &&
                model.GetSymbolInfo(assignment.Right).Symbol is IParameterSymbol { ContainingSymbol: IMethodSymbol { MethodKind: MethodKind.Ordinary } });
    }

    private static string? NameOf(ExpressionSyntax target) => target switch
    {
        IdentifierNameSyntax name => name.Identifier.Text,
        MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax } access => access.Name.Identifier.Text,
        _ => null,
    };
}
