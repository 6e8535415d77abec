using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ResultIsChanged;

/// <summary>RC008: a caller changes the result that it shares with others.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ResultIsChangedAnalyzer : CoalescedBlockAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.ResultIsChanged];

    private protected override void Analyze(OperationBlockAnalysisContext context, CoalescedCall call)
    {
        if (call.Result is not { IsReferenceType: true } type || call.Invocation.AwaitedResult() is not { } result) return;
        foreach (var change in References(result).SelectMany(reference => Change.Through(reference)).Distinct())
        {
            context.ReportDiagnostic(Diagnostic.Create(
                Descriptors.ResultIsChanged,
                change.Syntax.GetLocation(),
                [call.Invocation.Syntax.GetLocation()],
                type.ToMinimalDisplayString(call.Invocation.SemanticModel!, change.Syntax.SpanStart)));
        }
    }

    /// <summary>The result where it is awaited, or the local that holds it and nothing else.</summary>
    private static IEnumerable<IOperation> References(IOperation result) => result.Parent is IVariableInitializerOperation { Parent: IVariableDeclaratorOperation { Symbol: var local } }
        ? result.OnlyValueOf(local) is null ? [] : result.ReferencesTo(local)
        : [result];
}
