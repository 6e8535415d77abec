using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ServiceOfRequest;

/// <summary>Knows the services that end before a flight may.</summary>
internal static class RequestService
{
    /// <summary>The variable or member that holds such a service. Null if an operation reads none.</summary>
    public static ISymbol? ReadBy(IOperation operation, CoalescedCall call) => operation switch
    {
        { Parent: IPropertyReferenceOperation { Property: { Name: "Model", ContainingType: var owner } } } when owner.Is("Microsoft.EntityFrameworkCore", "DbContext") => null, // all contexts of a type share it
        IParameterReferenceOperation { Parameter: var parameter } when IsContext(parameter.Type) || (IsConnection(parameter.Type) && IsFromServices(parameter)) => parameter,
        ILocalReferenceOperation { Local: var local } when IsContext(local.Type) || EndsWithCaller(local, call) => local,
        IFieldReferenceOperation { Field: { IsStatic: false } field, Instance: IInstanceReferenceOperation } when IsContext(field.Type) => field,
        IPropertyReferenceOperation { Property: { IsStatic: false } property, Instance: IInstanceReferenceOperation } when IsContext(property.Type) => property,
        IPropertyReferenceOperation { Property: { Name: "RequestServices" } property } when property.ContainingType.DerivesFrom("Microsoft.AspNetCore.Http", "HttpContext") => property,
        _ => null,
    };

    private static bool IsContext(ITypeSymbol type) => type.DerivesFrom("Microsoft.EntityFrameworkCore", "DbContext");

    private static bool IsConnection(ITypeSymbol type) => type.Implements("System.Data", "IDbConnection");

    private static bool IsFromServices(IParameterSymbol parameter) => parameter.GetAttributes()
        .Any(attribute => attribute.AttributeClass?.Name is "FromServicesAttribute" or "FromKeyedServicesAttribute");

    /// <summary>Whether a <c>using</c> ends a connection or a scope when the caller leaves. Without a token it leaves after the flight.</summary>
    private static bool EndsWithCaller(ILocalSymbol local, CoalescedCall call) =>
        call.Token is not null &&
        (IsConnection(local.Type) || local.Type.Implements("Microsoft.Extensions.DependencyInjection", "IServiceScope") ||
            local.Type.Is("Microsoft.Extensions.DependencyInjection", "AsyncServiceScope") || local.Type.DerivesFrom("System.IO", "Stream")) &&
        local.DeclaringSyntaxReferences.Any(declaration => declaration.GetSyntax() is VariableDeclaratorSyntax { Parent.Parent: var statement } &&
            (statement is UsingStatementSyntax || (statement is LocalDeclarationStatementSyntax declared && declared.UsingKeyword.IsKind(SyntaxKind.UsingKeyword))));
}
