using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ValueTaskMisuse;

/// <summary>RC006: the <c>ValueTask</c> of a coalesced call is used twice, kept, or read before it has completed.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ValueTaskMisuseAnalyzer : CoalescedBlockAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.AwaitedTwice, Descriptors.ValueTaskKept, Descriptors.ValueTaskBlockedOn];

    private protected override void Analyze(OperationBlockAnalysisContext context, CoalescedCall call)
    {
        var invocation = call.Invocation;
        if (!invocation.Type.IsValueTask()) return;
        if (invocation.BlockingUse() is { } read) Report(context, Descriptors.ValueTaskBlockedOn, read.Syntax, invocation);
        if (invocation.IsKept()) Report(context, Descriptors.ValueTaskKept, invocation.Syntax, invocation);
        if (LocalOf(invocation) is { } local && IsFirstOf(local, invocation)) AnalyzeLocal(context, invocation, local);
    }

    /// <summary>The local that gets the value.</summary>
    private static ILocalSymbol? LocalOf(IInvocationOperation invocation)
    {
        var value = invocation.WithConversions();
        return value.Parent switch
        {
            IVariableInitializerOperation { Parent: IVariableDeclaratorOperation declarator } => declarator.Symbol,
            ISimpleAssignmentOperation { Target: ILocalReferenceOperation target } assignment when assignment.Value == value => target.Local,
            _ => null,
        };
    }

    /// <summary>A local that gets the values of several calls is analyzed once.</summary>
    private static bool IsFirstOf(ILocalSymbol local, IInvocationOperation invocation) => !invocation.Root().Descendants()
        .OfType<IInvocationOperation>()
        .TakeWhile(other => other != invocation)
        .Any(other => other.TargetMethod.Name == invocation.TargetMethod.Name && SymbolEqualityComparer.Default.Equals(LocalOf(other), local));

    private static void AnalyzeLocal(OperationBlockAnalysisContext context, IInvocationOperation invocation, ILocalSymbol local)
    {
        if (!local.Type.IsValueTask()) return;
        var function = invocation.Function();
        var uses = invocation.ReferencesTo(local).Where(reference => reference.Function() == function).ToList();
        var reported = new HashSet<SyntaxNode>();
        foreach (var kept in uses.Where(use => use.IsKept())) Report(context, Descriptors.ValueTaskKept, kept.Syntax, invocation);
        if (!uses.Any(use => use.AsksForCompletion()))
        {
            foreach (var use in uses)
            {
                if (use.BlockingUse() is not { } read) continue;
                Report(context, Descriptors.ValueTaskBlockedOn, read.Syntax, invocation);
                reported.Add(use.Syntax);
            }
        }

        if (invocation.ValuesOf(local).Any(value => value.WithoutConversions() is IInvocationOperation { TargetMethod.Name: "Preserve" })) return; // it can be awaited again
        var consuming = uses.Where(use => use.Consumes()).ToList();
        if (consuming.Count == 0 || FunctionGraph.Of(invocation, context.GetControlFlowGraph(context.OperationBlocks.First(block => invocation.IsIn(block)))) is not { } graph) return;
        foreach (var second in SecondUse.Find(graph, local, consuming))
        {
            if (reported.Add(second)) Report(context, Descriptors.AwaitedTwice, second, invocation);
        }
    }

    private static void Report(OperationBlockAnalysisContext context, DiagnosticDescriptor descriptor, SyntaxNode where, IInvocationOperation invocation) =>
        context.ReportDiagnostic(Diagnostic.Create(descriptor, where.GetLocation(), [invocation.Syntax.GetLocation()], invocation.TargetMethod.Name));
}
