using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ResultIsDisposable;

/// <summary>RC007: callers share a result that each of them would use up or dispose.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ResultIsDisposableAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.ResultIsDisposable];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        if (call.Result is not { } result || (OneReaderTypes.In(result) ?? (result.IsDisposable() && IsDisposed(call) ? result : null)) is not { } type) return;
        var name = call.Invocation.NameSyntax();
        context.ReportDiagnostic(Diagnostic.Create(
            Descriptors.ResultIsDisposable, name.GetLocation(), type.ToMinimalDisplayString(context.Operation.SemanticModel!, name.SpanStart)));
    }

    /// <summary>Whether the caller is seen to dispose the result.</summary>
    private static bool IsDisposed(CoalescedCall call) => call.Invocation.AwaitedResult() is { } result && result.Parent switch
    {
        IUsingOperation => true,
        IVariableInitializerOperation { Parent: IVariableDeclaratorOperation declarator } =>
            declarator.Parent?.Parent is { Parent: IUsingDeclarationOperation or IUsingOperation } or IUsingOperation ||
            call.Invocation.ReferencesTo(declarator.Symbol).Any(IsDisposed),
        _ => false,
    };

    private static bool IsDisposed(ILocalReferenceOperation reference) =>
        reference.WithConversions().Parent is IUsingOperation or IConditionalAccessOperation { WhenNotNull: IInvocationOperation { TargetMethod.Name: "Dispose" or "DisposeAsync" } } ||
        reference.CallOn() is { TargetMethod.Name: "Dispose" or "DisposeAsync" };
}
