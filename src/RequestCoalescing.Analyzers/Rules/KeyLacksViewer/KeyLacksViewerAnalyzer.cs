using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksViewer;

/// <summary>RC003: the work asks for the current user or tenant, and the key contains neither.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KeyLacksViewerAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.KeyLacksViewer];

    private protected override bool LooksAtCaches => true;

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        var sources = default(Sources);
        foreach (var read in call.Work.ReadsOf(call))
        {
            if (!Viewer.IsReadBy(read) && !(read is ILocalReferenceOperation { Local: var local } && IsMadeOfViewer(local))) continue;
            sources ??= new(call);
            var key = Origins.OfKey(call, sources);
            if (key.UseThis || key.Operations.Any(Viewer.IsNamedBy)) return;
            var place = Viewer.PlaceOf(read);
            context.ReportDiagnostic(Diagnostic.Create(
                Descriptors.KeyLacksViewer,
                place.Syntax.GetLocation(),
                [call.Key.Syntax.GetLocation()],
                ImmutableDictionary<string, string?>.Empty.Add(KeyParts.Part, Viewer.PartFor(place)),
                place.Syntax.ToString()));
            return;
        }

        bool IsMadeOfViewer(ILocalSymbol local)
        {
            sources ??= new(call);
            return Origins.OfVariable(local, sources).Operations.Any(Viewer.IsReadBy);
        }
    }
}
