using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.EngineOfRequest;

/// <summary>RC010: an engine that serves one call, one request or one consumer has nothing to coalesce.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class EngineOfRequestAnalyzer : DiagnosticAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.EngineOfRequest];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (CoalescedCalls.In(start.Compilation, caches: false) is not { } calls || start.Compilation.HasTests()) return;
            var entry = start.Compilation.GetEntryPoint(start.CancellationToken);
            start.RegisterOperationAction(operation => AnalyzeCreation(operation, calls, entry), OperationKind.ObjectCreation);
            start.RegisterOperationAction(AnalyzeRegistration, OperationKind.Invocation);
        });
    }

    private static void AnalyzeCreation(OperationAnalysisContext context, CoalescedCalls calls, IMethodSymbol? entry)
    {
        var creation = (IObjectCreationOperation)context.Operation;
        if (!creation.Type.IsEngine() || Served(creation, calls, context, entry) is not { } served) return;
        Report(context, creation.Syntax, creation.Type!, served);
    }

    /// <summary>Returns the one call or request that a new engine serves. Null if it may serve more than that.</summary>
    private static string? Served(IObjectCreationOperation creation, CoalescedCalls calls, OperationAnalysisContext context, IMethodSymbol? entry)
    {
        var isInEntry = SymbolEqualityComparer.Default.Equals(context.ContainingSymbol, entry) && creation.Function().Parent is null;
        if (creation.CallOn() is { } call) return !isInEntry && calls.Find(call, context.Options) is not null ? "call" : null;
        switch (creation.WithConversions().Parent)
        {
            case IVariableInitializerOperation { Parent: IVariableDeclaratorOperation declarator }:
                return !isInEntry && LocalEngine.IsUseless(declarator, calls, context.Options) ? "call" : null;
            case IFieldInitializerOperation { InitializedFields: var fields } when IsPartOfRequest(fields[0]):
            case IPropertyInitializerOperation { InitializedProperties: var properties } when IsPartOfRequest(properties[0]):
            case ISimpleAssignmentOperation { Target: IMemberReferenceOperation { Instance: IInstanceReferenceOperation } target } when IsPartOfRequest(target.Member):
                return "request";
            case IReturnOperation when creation.Function().Parent is null && IsOwnGetter(context.ContainingSymbol):
                return "call";
            default:
                return null;
        }
    }

    private static bool IsPartOfRequest(ISymbol member) => !member.IsStatic && member.ContainingType.IsMadePerRequest();

    /// <summary>A private property that returns a new engine each time. It was meant to be a field, or to have a value.</summary>
    private static bool IsOwnGetter(ISymbol symbol) => symbol is IMethodSymbol
    {
        MethodKind: MethodKind.PropertyGet,
        AssociatedSymbol: IPropertySymbol { DeclaredAccessibility: Accessibility.Private, ExplicitInterfaceImplementations.IsEmpty: true },
    };

    private static void AnalyzeRegistration(OperationAnalysisContext context)
    {
        var registration = (IInvocationOperation)context.Operation;
        var method = registration.TargetMethod;
        if (ConsumerOf(method.Name) is not { } consumer || !Registers(method.ContainingType) || EngineOf(registration) is not { } engine) return;
        Report(context, registration.NameSyntax(), engine, consumer);
    }

    private static string? ConsumerOf(string method) =>
        method.EndsWith("Scoped", StringComparison.Ordinal) ? "scope"
        : method.EndsWith("Transient", StringComparison.Ordinal) ? "consumer"
        : null;

    private static bool Registers(INamedTypeSymbol type) =>
        type.Is("Microsoft.Extensions.DependencyInjection", "ServiceCollectionServiceExtensions") ||
        type.Is("Microsoft.Extensions.DependencyInjection.Extensions", "ServiceCollectionDescriptorExtensions") ||
        type.Is("Microsoft.Extensions.DependencyInjection", "ServiceDescriptor");

    /// <summary>The engine that a registration creates. Null if it registers another type, or passes an engine on.</summary>
    private static ITypeSymbol? EngineOf(IInvocationOperation registration)
    {
        var factory = registration.Arguments.FirstOrDefault(argument => argument.Parameter?.Type.TypeKind == TypeKind.Delegate);
        if (factory is not null)
        {
            if (factory.Value.WithoutConversions() is not IDelegateCreationOperation { Target: IAnonymousFunctionOperation lambda }) return null;
            var returned = lambda.Body.Descendants().OfType<IReturnOperation>()
                .Where(result => result.Function() == lambda)
                .Select(result => result.ReturnedValue?.WithoutConversions() as IObjectCreationOperation)
                .ToList();
            return returned.Count > 0 && returned.All(created => created?.Type.IsEngine() == true) ? returned[0]!.Type : null;
        }

        var type = registration.TargetMethod.TypeArguments.LastOrDefault() ?? registration.Arguments
            .Select(argument => argument.Value.WithoutConversions())
            .OfType<ITypeOfOperation>()
            .LastOrDefault()?
            .TypeOperand;
        return type.IsEngine() ? type : null;
    }

    private static void Report(OperationAnalysisContext context, SyntaxNode where, ITypeSymbol engine, string served) =>
        context.ReportDiagnostic(Diagnostic.Create(
            Descriptors.EngineOfRequest, where.GetLocation(), engine.ToMinimalDisplayString(context.Operation.SemanticModel!, where.SpanStart), served));
}
