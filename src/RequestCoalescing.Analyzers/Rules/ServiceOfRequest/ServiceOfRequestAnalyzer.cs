using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ServiceOfRequest;

/// <summary>RC005: the work uses a service that ends with the request of one caller.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ServiceOfRequestAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.ServiceOfRequest];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        var reported = new HashSet<ISymbol>(SymbolEqualityComparer.Default);
        foreach (var read in call.Work.ReadsOf(call))
        {
            if (RequestService.ReadBy(read, call) is not { } service || !call.IsClosestTo(read) || !reported.Add(service)) continue;
            context.ReportDiagnostic(Diagnostic.Create(Descriptors.ServiceOfRequest, read.Syntax.GetLocation(), read.Syntax.ToString()));
        }
    }
}
