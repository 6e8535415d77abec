using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>The base of all rules about coalesced calls. It skips generated code, and compilations that cannot have such calls.</summary>
public abstract class CoalescedCallAnalyzer : DiagnosticAnalyzer
{
    /// <summary>Whether the rule also looks at caches, if the setting asks for it.</summary>
    private protected virtual bool LooksAtCaches => false;

    public sealed override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (CoalescedCalls.In(start.Compilation, LooksAtCaches) is not { } calls) return;
            start.RegisterOperationAction(
                operation =>
                {
                    if (calls.Find((IInvocationOperation)operation.Operation, operation.Options) is { } call) Analyze(operation, call);
                },
                OperationKind.Invocation);
        });
    }

    private protected abstract void Analyze(OperationAnalysisContext context, CoalescedCall call);
}
