using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CacheWrittenBlindly;

/// <summary>RC011: the work stores in a cache and never asks whether its flight is current.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class CacheWrittenBlindlyAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.CacheWrittenBlindly];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        if (call.Work.Body is not { } body) return;
        var writes = body.DescendantsAndSelf().OfType<IInvocationOperation>().Where(invocation => CacheWrite.Is(invocation, context.Options)).ToList();
        if (writes.Count == 0 || body.DescendantsAndSelf().Any(LooksAtFlight)) return;
        foreach (var write in writes)
        {
            if (!call.IsClosestTo(write)) continue;
            var flight = call.Work.Flight?.Locations.Where(location => location.IsInSource);
            context.ReportDiagnostic(Diagnostic.Create(Descriptors.CacheWrittenBlindly, write.Syntax.GetLocation(), flight, write.TargetMethod.Name));
        }
    }

    /// <summary>Whether the work asks the flight, or hands it on to code that can.</summary>
    private static bool LooksAtFlight(IOperation operation) => operation switch
    {
        IPropertyReferenceOperation { Property: { Name: "IsCurrent" } property } => IsFlight(property.ContainingType),
        IInvocationOperation { TargetMethod: { Name: "ConfirmCurrentAsync" } method } => IsFlight(method.ContainingType),
        IParameterReferenceOperation or ILocalReferenceOperation when IsFlight(operation.Type) => operation.WithConversions().Parent is not (IMemberReferenceOperation or IInvocationOperation or IConversionOperation),
        _ => false,
    };

    private static bool IsFlight(ITypeSymbol? type) => type.Is("RequestCoalescing", "FlightContext") || type.Implements("RequestCoalescing", "IFlight");
}
