using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Tests.Corpus;

/// <summary>Counts the calls that the rules look at.</summary>
#pragma warning disable RS1036, RS1041, RS1038 // no compiler loads this analyzer
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class CountingAnalyzer : CoalescedCallAnalyzer
{
    public ConcurrentBag<CallKind> Calls { get; } = [];

    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.CoalescedWrite];

    private protected override bool LooksAtCaches => true;

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call) => Calls.Add(call.Kind);
}
