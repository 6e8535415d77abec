using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>The base of rules about the use of results within the method that calls. They report places after the call.</summary>
public abstract class CoalescedBlockAnalyzer : DiagnosticAnalyzer
{
    public sealed override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (CoalescedCalls.In(start.Compilation, caches: false) is not { } calls) return;
            start.RegisterOperationBlockStartAction(block =>
            {
                var found = new ConcurrentBag<CoalescedCall>();
                block.RegisterOperationAction(
                    operation =>
                    {
                        if (calls.Find((IInvocationOperation)operation.Operation, operation.Options) is { } call) found.Add(call);
                    },
                    OperationKind.Invocation);
                block.RegisterOperationBlockEndAction(end =>
                {
                    foreach (var call in found) Analyze(end, call);
                });
            });
        });
    }

    private protected abstract void Analyze(OperationBlockAnalysisContext context, CoalescedCall call);
}
